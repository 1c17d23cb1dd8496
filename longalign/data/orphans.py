"""Forked processes that end when the process that forked them is gone, even by SIGKILL."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator

_parent: int | None = None  # this process's id in the block; children that are forked meanwhile watch it
_registered = False  # hooks of a fork cannot be taken back, so there is one for all blocks


@contextlib.contextmanager
def children_end_with_us() -> Iterator[None]:
    """In the block, forked children watch this process and end when it is gone. They leave Ctrl-C to it.

    Where processes are not forked (Windows) this does nothing.
    """
    global _parent, _registered
    if hasattr(os, "register_at_fork") and not _registered:
        os.register_at_fork(after_in_child=_watch_parent)
        _registered = True
    _parent = os.getpid()
    try:
        yield
    finally:
        _parent = None


def _watch_parent() -> None:
    """Called in a child that was just forked: start a thread that ends the child when its parent is gone."""
    global _parent
    parent, _parent = _parent, None  # children of this child are its own affair
    if parent is None:
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent too, which ends its children
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # what the parent does on it is not for its children

    def watch(parent: int) -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, args=(parent,), daemon=True).start()
