"""A function of 0, 1, 2, … in many processes, whose results come one by one, in order; and what a killed one means.

This module loads no torch.
"""

import contextlib
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from longalign.errors import UserError


def num_cpus() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def is_lost_worker(error: BaseException) -> bool:
    """Whether an error, raised wherever the main process was, says that a worker of a DataLoader was killed."""
    if isinstance(error, ConnectionResetError | ConnectionRefusedError):  # while it handed over a tensor
        return True
    return isinstance(error, RuntimeError) and "DataLoader worker (pid" in str(error)


@contextlib.contextmanager
def killed_worker_is(mistake: str) -> Iterator[None]:
    """Around all that a main process does while a DataLoader's workers run.

    Raises:
        UserError: `mistake`, if one of them is killed.
    """
    try:
        yield
    except (RuntimeError, ConnectionError) as error:
        if not is_lost_worker(error):
            raise
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # torch's handler would raise it again while the command ends
        raise UserError(mistake) from error


def map_in_order(make: Callable[[int], Any], count: int, num_proc: int) -> Iterator[Any]:
    """Yield `make(0)` to `make(count - 1)`, as `map` does, made in `num_proc` processes a few results ahead.

    What `make` holds is copied to each process once. With one process nothing is started. Take the results inside
    `killed_worker_is`.

    Raises:
        UserError: as `make` raised it, at its place in the order.
    """
    if num_proc == 1:
        return map(make, range(count))
    # imported before results are asked for: the exception of a stop signal can get lost inside an import of torch
    from longalign.data.loader import SteadyLoader

    return _in_order(SteadyLoader(_Made(make, count), batch_size=None, collate_fn=_same, num_workers=num_proc))


def _in_order(loader: Iterable[Any]) -> Iterator[Any]:
    for one in loader:
        if isinstance(one, UserError):
            raise one
        yield one


@dataclass(frozen=True)
class _Made:
    make: Callable[[int], Any]
    count: int

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> Any:
        try:
            return self.make(number)
        except UserError as error:  # as a value: a loader would put a traceback into its line
            return error


def _same(made: Any) -> Any:
    return made
