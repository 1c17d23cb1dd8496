"""The curves of a run for TensorBoard, in a file that is made when the first figure is written.

Lightning makes it before it reads a checkpoint to go on from, which may be refused.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.loggers.logger import rank_zero_experiment


class Curves(TensorBoardLogger):
    """Lightning's logger, which leaves no file where nothing is logged."""

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The ``SummaryWriter``, or what becomes it."""
        return _Later(partial(getattr, super(), "experiment")) if self._experiment is None else self._experiment


class _Later:
    """Stands for a writer that is made when one of its other methods is asked for."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    def flush(self) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        return getattr(self._make(), name)
