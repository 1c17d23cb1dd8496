"""Ending a command on Ctrl-C or SIGTERM with one line that says what is kept, and the exit status of the signal."""

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

log = logging.getLogger(__name__)


class Terminated(KeyboardInterrupt):
    """What SIGTERM raises in `interruptible`."""


@contextmanager
def interruptible(hint: str = "; the same command goes on where it stopped") -> Iterator[None]:
    """In the block, Ctrl-C and SIGTERM raise KeyboardInterrupt, so that files are closed; then the process ends.

    One line is logged: "stopped", the exception's message if it has one, and `hint`. The exit status is 130 after
    Ctrl-C and 143 after SIGTERM.
    """
    before = signal.getsignal(signal.SIGTERM)
    own = threading.current_thread() is threading.main_thread()  # only this thread can handle signals
    if own:
        signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    except KeyboardInterrupt as stop:
        log.info("stopped%s%s", f": {stop}" if str(stop) else "", hint)
        raise SystemExit(143 if isinstance(stop, Terminated) else 130) from None
    finally:
        if own:
            signal.signal(signal.SIGTERM, before)


def _terminate(*_: Any) -> None:
    raise Terminated
