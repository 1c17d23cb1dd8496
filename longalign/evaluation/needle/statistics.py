"""The summary of a run's rows: recall by cell, by length and by depth with 95 % intervals, and the effective length."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from longalign.counted import counted
from longalign.evaluation.needle.scoring import without_thoughts
from longalign.records import FAILED

Z95 = 1.959963984540054
KEPT = 0.85
"""Share of the recall at the shortest length that an effective length must keep, as in NoLiMa (Modarressi et al.
2025)."""

OFF = 10
"""A needle whose place differs from its wanted depth by more percent of the text than this is counted in summaries."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Estimate:
    """A mean recall of `n` prompts with its 95 % Wilson interval; all None where n is 0."""

    recall: float | None
    low: float | None
    high: float | None
    n: int


def wilson(share: float, n: int, z: float = Z95) -> tuple[float, float]:
    """Wilson's score interval of a share in n trials (Wilson 1927). 3 of 3 -> (0.44, 1.0).

    For recalls between 0 and 1 (several needles) it is wider than needed: of all values with a given mean, zeros and
    ones vary most.
    """
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, min(middle - half, share)), min(1.0, max(middle + half, share))


def estimate(recalls: Iterable[float]) -> Estimate:
    """The mean of recalls with its interval."""
    values = list(recalls)
    if not values:
        return Estimate(None, None, None, 0)
    mean = math.fsum(values) / len(values)
    return Estimate(mean, *wilson(mean, len(values)), len(values))


@dataclass(frozen=True)
class EffectiveLength:
    """The longest length at which recall is surely kept; None if there is none.

    Surely kept: the lower bound of the recall's interval is at least `threshold`, which is `KEPT` times the recall at
    the shortest length. `reason` says why there is no such length, or which shorter lengths miss the threshold.
    """

    length: int | None
    threshold: float | None
    reason: str = ""


def effective_length(by_length: Mapping[int, Estimate]) -> EffectiveLength:
    """The effective length, from the estimates of each length."""
    known = {length: e for length, e in sorted(by_length.items()) if e.n and e.recall is not None and e.low is not None}
    if not known:
        return EffectiveLength(None, None, "no results")
    shortest = min(known)
    base = known[shortest].recall
    assert base is not None
    threshold = KEPT * base
    if base == 0:
        return EffectiveLength(None, 0.0, f"nothing is found at {shortest:,} tokens either")
    held = [length for length, e in known.items() if e.low is not None and e.low >= threshold]
    if not held:
        most = max(e.n for e in known.values())
        needed = next(n for n in range(1, 10_000) if wilson(1.0, n)[0] >= threshold)
        few = f"{counted(most, 'prompt')} a length cannot show it, {needed} or more can" if most < needed else ""
        return EffectiveLength(None, threshold, few or f"no length has a lower bound of {threshold:.2f}")
    failed = [length for length in known if length < max(held) and length not in held]
    return EffectiveLength(max(held), threshold, f"but not {', '.join(map(str, failed))}" if failed else "")


def summarise(rows: Iterable[Row]) -> dict[str, Any]:
    """The summary of a run's rows as JSON values. Failed rows are counted, but are in no mean."""
    rows = list(rows)
    good = [row for row in rows if row.get("status") != FAILED]
    by_length = _group(good, "length")
    margins = {length: estimate(recalls) for length, recalls in by_length.items()}
    cells: dict[tuple[int, float], list[float]] = defaultdict(list)
    for row in good:
        cells[row["length"], row["depth"]].append(row["recall"])
    return {
        "recall": asdict(estimate(row["recall"] for row in good)),
        "exact": sum(bool(row["exact"]) for row in good) / len(good) if good else None,
        "effective_length": asdict(effective_length(margins)),
        "by_length": [{"length": length, **asdict(e)} for length, e in margins.items()],
        "by_depth": [{"depth": d, **asdict(estimate(recalls))} for d, recalls in _group(good, "depth").items()],
        "cells": [
            {"length": length, "depth": depth, **asdict(estimate(recalls))}
            for (length, depth), recalls in sorted(cells.items())
        ],
        "prompts": len(rows),
        "failed": len(rows) - len(good),
        "off_their_depth": sum(abs(row["reached"][0] - row["depth"]) > OFF for row in good if row.get("reached")),
        "answers_empty": sum(not without_thoughts(row.get("answer", "-")) for row in good),
        "answers_not_ended": sum(not row.get("ended", True) for row in good),
        "answers_with_a_decoy": sum(bool(row.get("wrong")) for row in good),
    }


def _group(rows: Iterable[Row], key: str) -> dict[Any, list[float]]:
    groups: dict[Any, list[float]] = defaultdict(list)
    for row in rows:
        groups[row[key]].append(row["recall"])
    return dict(sorted(groups.items()))
