"""Read the curves of a run from TensorBoard's event files, and join those of its starts.

A run that was killed after step 250 and resumed from 200 has logged steps 201 to 250 twice: the later values count.
"""

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

log = logging.getLogger(__name__)

LOSS = "train/loss"
TENSORBOARD = "tensorboard"  # the folder of a run's event files


class Point(NamedTuple):
    """A value of a curve. `time`: when it was logged, in seconds since 1970."""

    step: int
    value: float
    time: float


@dataclass(frozen=True)
class Events:
    """curves: by tag, points in the order of steps. spells: first and last time of each file with training steps."""

    curves: dict[str, list[Point]]
    spells: list[tuple[float, float]]

    def values(self, tag: str) -> list[float]:
        """Finite values of a curve; empty where there is none."""
        return [point.value for point in self.curves.get(tag, []) if math.isfinite(point.value)]

    def last(self, tag: str) -> float | None:
        """The last finite value of a curve; None if there is none."""
        return next(reversed(self.values(tag)), None)


def event_files(run: Path) -> list[Path]:
    """The event files in a run's folder."""
    return sorted((run / TENSORBOARD).rglob("events.out.tfevents.*"))


def read_events(files: Sequence[Path]) -> Events:
    """Read all scalars of event files. A file whose end was cut off by a kill is read up to there."""
    curves: dict[str, list[Point]] = {}
    spells = []
    parts = sorted((part for part in map(_read_file, files) if part), key=lambda part: part[0][1].time)
    trained = [part for part in parts if any(tag == LOSS for tag, _ in part)]
    for part in trained or parts:  # not files of `longalign validate`: they undo no steps
        for tag, point in part:
            curve = curves.setdefault(tag, [])
            while curve and curve[-1].step >= point.step:
                curve.pop()
            curve.append(point)
        times = [point.time for tag, point in part if tag == LOSS]
        if times:
            spells.append((part[0][1].time, part[-1][1].time))
    if LOSS in curves:  # drop validation after steps that were undone
        end = curves[LOSS][-1].step
        curves = {tag: [point for point in curve if point.step <= end] for tag, curve in curves.items()}
    return Events({tag: curve for tag, curve in sorted(curves.items()) if curve}, spells)


def _read_file(file: Path) -> list[tuple[str, Point]]:
    from google.protobuf.message import DecodeError
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

    found: list[tuple[str, Point]] = []
    try:
        for event in LegacyEventFileLoader(str(file)).Load():
            found += [(tag, Point(event.step, value, event.wall_time)) for tag, value in _scalars(event)]
    except (DecodeError, OSError, ValueError) as error:
        log.warning("%s: cannot be read to its end: %s", file, error)
    return found


def _scalars(event: Any) -> Iterator[tuple[str, float]]:
    for value in event.summary.value:
        if value.HasField("simple_value"):
            yield value.tag, value.simple_value
        elif value.HasField("tensor") and not value.tensor.tensor_shape.dim and value.tensor.float_val:
            yield value.tag, value.tensor.float_val[0]
