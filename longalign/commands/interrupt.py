"""Ctrl-C and SIGTERM end a command that keeps what it has with one line, and with the status that shells expect."""

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

log = logging.getLogger(__name__)


class Terminated(KeyboardInterrupt):
    """SIGTERM."""


@contextmanager
def interruptible(hint: str = "; the same command goes on where it stopped") -> Iterator[None]:
    """In the block SIGTERM raises `Terminated`, as Ctrl-C raises KeyboardInterrupt; either one ends the process.

    A message that the exception brings, of what there is so far, is part of the line; so is `hint`.
    """
    before = signal.getsignal(signal.SIGTERM)
    own = threading.current_thread() is threading.main_thread()  # signals come to no other
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
