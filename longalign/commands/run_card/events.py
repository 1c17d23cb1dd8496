"""The curves of a run from TensorBoard's event files, put together over its starts.

A run that was killed after step 250 and went on from 200 has logged 201 to 250 twice: what came later counts.
"""

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

log = logging.getLogger(__name__)

LOSS = "train/loss"


class Point(NamedTuple):
    """A value of a curve; `time` in seconds since 1970."""

    step: int
    value: float
    time: float


@dataclass(frozen=True)
class Events:
    """curves: points by rising step, by tag. spells: first and last time of each file that holds training steps."""

    curves: dict[str, list[Point]]
    spells: list[tuple[float, float]]

    def values(self, tag: str) -> list[float]:
        """Finite values of a curve; empty where there is none."""
        return [point.value for point in self.curves.get(tag, []) if math.isfinite(point.value)]

    def last(self, tag: str) -> float | None:
        """The last finite value of a curve."""
        return next(reversed(self.values(tag)), None)


def read_events(files: Sequence[Path]) -> Events:
    """All scalars of event files; a torn end, as a kill leaves it, ends its file."""
    curves: dict[str, list[Point]] = {}
    spells = []
    parts = sorted((part for part in map(_read_file, files) if part), key=lambda part: part[0][1].time)
    trained = [part for part in parts if any(tag == LOSS for tag, _ in part)]
    for part in trained or parts:  # without `longalign validate` in the run's folder, which takes no step back
        for tag, point in part:
            curve = curves.setdefault(tag, [])
            while curve and curve[-1].step >= point.step:
                curve.pop()
            curve.append(point)
        times = [point.time for tag, point in part if tag == LOSS]
        if times:
            spells.append((part[0][1].time, part[-1][1].time))
    if LOSS in curves:  # what was held out after a step that was taken back
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
