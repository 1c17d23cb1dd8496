"""The event loop in which servers are asked, which ends in order when the process is told to end."""

import asyncio
import signal
import threading
from collections.abc import AsyncIterable, AsyncIterator, Coroutine, Iterable, Iterator
from types import FrameType
from typing import Any, TypeVar

Item = TypeVar("Item")


def run_loop(main: Coroutine[Any, Any, None]) -> None:
    """`asyncio.run` that treats SIGTERM as it does Ctrl-C: requests are cancelled and connections closed first.

    Then what handles SIGTERM is called, which is expected to raise. Where nothing handles it, SIGTERM kills as ever.
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
    """The items, whichever way they come."""
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item


async def taken_aside(items: Iterator[Item]) -> AsyncIterator[Item]:
    """The items, each taken in a thread: where that reads files, the loop goes on with its requests meanwhile."""
    while found := await asyncio.to_thread(_next, items):
        yield found[0]


def _next(items: Iterator[Item]) -> tuple[Item] | None:
    for item in items:
        return (item,)
    return None
