"""Means of ratings with bootstrap intervals, and paired differences of two models on the same questions."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

RESAMPLES = 10_000
CONFIDENCE = 0.95
MIN_ITEMS = 5
"""With fewer questions no interval is given, and no two models are called different."""


@dataclass(frozen=True)
class Estimate:
    """A mean over n questions and its 95 % interval; ``low`` and ``high`` are None for fewer than `MIN_ITEMS`."""

    n: int
    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Difference:
    """Second minus first on the questions that both have. ``wins``: questions on which the second is rated higher."""

    estimate: Estimate
    wins: int
    ties: int
    losses: int

    @property
    def distinguishable(self) -> bool:
        """Whether there is an interval, and 0 is not in it."""
        low, high = self.estimate.low, self.estimate.high
        return low is not None and high is not None and (low > 0 or high < 0)


def estimate_mean(values: Sequence[float], seed: int = 0, resamples: int = RESAMPLES) -> Estimate:
    """Mean of ``values`` and its bootstrap interval. Each value is the mean of one question's ratings.

    The interval is Hesterberg's expanded percentile interval (2015, "What teachers should know about the bootstrap"):
    plain percentile intervals are too narrow for the 10 to 50 questions of these tests.
    """
    if not values:
        return Estimate(0, float("nan"), None, None)
    data = np.asarray(values, dtype=np.float64)
    if len(data) < MIN_ITEMS:
        return Estimate(len(data), float(data.mean()), None, None)
    draws = np.random.default_rng(seed).integers(len(data), size=(resamples, len(data)))
    tail = 100 * _tail(len(data))
    low, high = np.percentile(data[draws].mean(axis=1), [tail, 100 - tail])
    return Estimate(len(data), float(data.mean()), float(low), float(high))


def _tail(n: int) -> float:
    """The share of resampled means outside the interval at each end: 0.025 for many questions, 0.011 for twelve."""
    z, freedom = NormalDist().inv_cdf((1 + CONFIDENCE) / 2), n - 1
    t = z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)  # Cornish-Fisher
    return NormalDist().cdf(-math.sqrt(n / (n - 1)) * t)


def compare_paired(first: Sequence[float], second: Sequence[float], seed: int = 0) -> Difference:
    """Mean difference of two models with its bootstrap interval; element n of both lists is the same question."""
    assert len(first) == len(second)
    differences = [b - a for a, b in zip(first, second, strict=True)]
    wins, losses = sum(d > 0 for d in differences), sum(d < 0 for d in differences)
    return Difference(estimate_mean(differences, seed), wins, len(differences) - wins - losses, losses)
