"""Ending a command on Ctrl-C or SIGTERM with one line that says what is kept, and the exit status of the signal."""

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

log = logging.getLogger(__name__)


class Terminated(KeyboardInterrupt):
    """What SIGTERM raises in `terminable`."""


@contextmanager
def terminable() -> Iterator[None]:
    """In the block, SIGTERM raises `Terminated`, as Ctrl-C raises KeyboardInterrupt."""
    before = signal.getsignal(signal.SIGTERM)
    own = threading.current_thread() is threading.main_thread()  # only this thread can handle signals
    if own:
        signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        if own:
            signal.signal(signal.SIGTERM, before)


@contextmanager
def interruptible(hint: str = "; the same command goes on where it stopped") -> Iterator[None]:
    """In the block, Ctrl-C and SIGTERM raise KeyboardInterrupt, so that files are closed; then the process ends.

    One line is logged: "stopped", the exception's message if it has one, and `hint`. The exit status is 130 after
    Ctrl-C and 143 after SIGTERM.
    """
    try:
        with terminable():
            yield
    except KeyboardInterrupt as stop:
        log.info("stopped%s%s", f": {stop}" if str(stop) else "", hint)
        raise SystemExit(status_of(stop)) from None


def status_of(stop: KeyboardInterrupt) -> int:
    """The exit status after Ctrl-C or SIGTERM."""
    return 143 if isinstance(stop, Terminated) else 130


def _terminate(*_: Any) -> None:
    raise Terminated
