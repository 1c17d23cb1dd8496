"""A progress bar on stderr for work that is measured in bytes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn


@contextmanager
def byte_progress(text: str, total: int) -> Iterator[Callable[[int], None]]:
    """A function to tell how many more bytes of ``total`` are done. Draws in a terminal only, and goes at the end."""
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    console = Console(stderr=True)
    bar = Progress(*columns, TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal)
    with bar as progress:
        task = progress.add_task(text, total=total)
        yield lambda amount: progress.advance(task, amount)
