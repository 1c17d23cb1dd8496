"""What ratings support: means with bootstrap intervals, and differences of two models on the same questions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 10_000
CONFIDENCE = 0.95
MIN_ITEMS = 5
"""Questions below which no difference is called one: a bootstrap of fewer is far too sure of itself."""


@dataclass(frozen=True)
class Estimate:
    """A mean over questions and its 95 % interval; ``low`` and ``high`` are None for fewer than two questions."""

    n: int
    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Difference:
    """Second minus first on the questions that both have. ``wins`` are those of the second."""

    estimate: Estimate
    wins: int
    ties: int
    losses: int

    @property
    def distinguishable(self) -> bool:
        """Whether the interval leaves out 0, with questions enough to say so."""
        low, high = self.estimate.low, self.estimate.high
        return self.estimate.n >= MIN_ITEMS and low is not None and high is not None and (low > 0 or high < 0)


def estimate_mean(values: Sequence[float], seed: int = 0, resamples: int = RESAMPLES) -> Estimate:
    """Mean of ``values`` (one a question: ratings of a question are averaged before) with a percentile bootstrap."""
    if not values:
        return Estimate(0, float("nan"), None, None)
    data = np.asarray(values, dtype=np.float64)
    if len(data) < 2:
        return Estimate(1, float(data[0]), None, None)
    draws = np.random.default_rng(seed).integers(len(data), size=(resamples, len(data)))
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(data[draws].mean(axis=1), [tail, 100 - tail])
    return Estimate(len(data), float(data.mean()), float(low), float(high))


def compare_paired(first: Sequence[float], second: Sequence[float], seed: int = 0) -> Difference:
    """Paired bootstrap of the differences, question by question."""
    assert len(first) == len(second)
    differences = [b - a for a, b in zip(first, second, strict=True)]
    wins, losses = sum(d > 0 for d in differences), sum(d < 0 for d in differences)
    return Difference(estimate_mean(differences, seed), wins, len(differences) - wins - losses, losses)
