"""The event loop for requests to servers: SIGTERM cancels them in order instead of killing the process."""

import asyncio
import signal
import threading
from collections.abc import AsyncIterable, AsyncIterator, Coroutine, Iterable, Iterator
from types import FrameType
from typing import Any, TypeVar

Item = TypeVar("Item")


def run_loop(main: Coroutine[Any, Any, None]) -> None:
    """`asyncio.run`, except that SIGTERM is treated as Ctrl-C: requests are cancelled and connections closed.

    After that the process's own handler of SIGTERM is called, which is expected to raise. If the process has no
    handler, or this is not the main thread, this is plain `asyncio.run` and SIGTERM kills the process.
    """
    handler = signal.getsignal(signal.SIGTERM)
    if not callable(handler) or threading.current_thread() is not threading.main_thread():
        asyncio.run(main)
        return
    came: list[tuple[int, FrameType | None]] = []

    async def cancellable() -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def stop(number: int, frame: FrameType | None) -> None:
            came.append((number, frame))
            loop.call_soon_threadsafe(task.cancel)

        signal.signal(signal.SIGTERM, stop)
        try:
            await main
        finally:
            signal.signal(signal.SIGTERM, handler)

    try:
        asyncio.run(cancellable())
    except asyncio.CancelledError:
        if not came:
            raise
    if came:
        handler(*came[0])


async def each(items: Iterable[Item] | AsyncIterable[Item]) -> AsyncIterator[Item]:
    """Iterate over the items of an iterable of either kind."""
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item


async def taken_aside(items: Iterator[Item]) -> AsyncIterator[Item]:
    """Iterate over the items, taking each in a thread: while an iterator reads files, the event loop is not blocked."""
    while found := await asyncio.to_thread(_next, items):
        yield found[0]


def _next(items: Iterator[Item]) -> tuple[Item] | None:
    for item in items:
        return (item,)
    return None
