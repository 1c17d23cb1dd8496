"""A loader of ready packs whose workers end with their rank, and never before it."""

import os
import signal
import threading
from typing import Any

from torch.utils.data import DataLoader


class PackLoader(DataLoader):
    """Workers that leave stop signals to the rank.

    A cluster signals the whole process group; a worker that died of it would break the rank's last step. SIGTERM is
    blocked while a worker is born, so that it is in all of its threads: libraries start some of their own after a fork.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.worker_init_fn = _end_with_the_rank

    def __iter__(self) -> Any:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        try:
            return super().__iter__()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with_the_rank(worker: int) -> None:
    """SIGTERM from the rank itself still ends a worker: Python sends it at exit to those left, and waits for them."""
    for number in (signal.SIGUSR1, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "sigtimedwait"):
        threading.Thread(target=_wait_for_the_end, args=(os.getppid(),), daemon=True).start()
    else:  # macOS
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def _wait_for_the_end(rank: int) -> None:
    while True:
        found = signal.sigtimedwait({signal.SIGTERM}, 1.0)
        if (found and found.si_pid == rank) or os.getppid() != rank:
            os._exit(0)
