"""A DataLoader whose worker processes live exactly as long as the process that reads from it, whatever signals come."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any

from torch.utils.data import DataLoader


class SteadyLoader(DataLoader):
    """A DataLoader whose workers leave stop signals to the process that started them, and end when it ends.

    A cluster signals the whole process group, and a worker that died of the signal would break the rank's last step.
    SIGTERM is blocked before a worker is forked, so that all of its threads inherit the block: libraries start threads
    of their own right after a fork.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.worker_init_fn = partial(_heed_the_parent_alone, os.getpid())

    def __iter__(self) -> Any:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        try:
            return super().__iter__()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _heed_the_parent_alone(parent: int, worker: int) -> None:
    """Set up signals in a worker: only a SIGTERM from its own parent ends it, or the end of that parent.

    Python sends that SIGTERM when the parent exits with workers left, and then waits for them. The parent may be gone
    before the worker comes here, so its process id is not asked for here.
    """
    sys.excepthook = partial(_tell_unless_hung_up, sys.excepthook)
    for number in (signal.SIGUSR1, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "sigtimedwait"):
        threading.Thread(target=_exit_with_the_parent, args=(parent,), daemon=True).start()
    else:  # macOS
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def _tell_unless_hung_up(
    tell: Callable[..., Any], kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Tell an error, but not that a pipe's other end is gone: that is a parent that was killed, and told elsewhere.

    Python calls this in the thread of a worker that hands shared memory to its parent.
    """
    if not issubclass(kind, (EOFError, ConnectionError)):
        tell(kind, error, trace)


def _exit_with_the_parent(parent: int) -> None:
    """Exit on a SIGTERM sent by the process `parent`, or once that process is gone (looked at every second).

    torch's own watch for that is not enough: it sleeps while the worker's queue is full, and nobody empties it then.
    """
    while True:
        found = signal.sigtimedwait({signal.SIGTERM}, 1.0)
        if (found and found.si_pid == parent) or os.getppid() != parent:
            os._exit(0)
