"""A progress bar on stderr for work whose amount is known in bytes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn


@contextmanager
def byte_progress(text: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar while the block runs, and yield a function to call with each number of bytes that has been done.

    Nothing is drawn where stderr is no terminal; at the end of the block the bar is removed.

    Args:
        text: what stands in front of the bar.
        total: bytes in all.
    """
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    console = Console(stderr=True)
    bar = Progress(*columns, TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal)
    with bar as progress:
        task = progress.add_task(text, total=total)
        yield lambda amount: progress.advance(task, amount)
