"""From counts and shares to numbers of rows: how many each part of the mix gives.

In: parts (a source, or a bucket of one), each with its rows in the order in which they are drawn, and the count or
share asked of it. Out: numbers of rows. Shares are of the whole mix.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from longalign.counted import counted
from longalign.errors import UserError, check_least

log = logging.getLogger(__name__)

KINDS = ("count", "share_of_sequences", "share_of_tokens")


class Ask(Protocol):
    """How much is asked of a part: what `Source` and `Bucket` have in common. None: not given."""

    @property
    def count(self) -> int | None: ...
    @property
    def share_of_sequences(self) -> float | None: ...
    @property
    def share_of_tokens(self) -> float | None: ...


@dataclass(frozen=True)
class Part:
    """A source or a bucket: `key` as in the config, `rows` int64 [n] in the order of drawing, their `lengths`."""

    key: str
    ask: Ask
    repeat: bool
    rows: np.ndarray
    lengths: np.ndarray

    def take(self, count: int) -> np.ndarray:
        """The first `count` rows; where there are fewer, they are repeated from the start."""
        return np.resize(self.rows, count) if count else self.rows[:0]


def row_counts(parts: Sequence[Part]) -> dict[str, int]:
    """Rows of each part, by its key.

    If some parts have a fixed number of rows, the others' numbers follow from their shares: beside 6,000 fixed
    sequences, a share of 0.25 is 2,000 more. If every part has a share, the mix is the largest that no part is too
    small for.

    Raises:
        UserError: more is asked for than there is (and `repeat` is off), or the shares make no sense together.
    """
    check([(part.key, part.ask) for part in parts])
    counts = _fixed_counts(parts)
    for kind, weigh in (("share_of_sequences", np.ones_like), ("share_of_tokens", np.asarray)):
        shares = {part.key: getattr(part.ask, kind) for part in parts if getattr(part.ask, kind) is not None}
        if shares:
            weights = {part.key: np.cumsum(weigh(part.lengths), dtype=np.int64) for part in parts}
            repeats = {part.key: part.repeat for part in parts}
            counts |= _solve_shares(shares, weights, counts, repeats, kind)
    return counts


def check(asked: Sequence[tuple[str, Ask]]) -> None:
    """Refuse counts and shares that make no sense with any data. asked: (config key, what is asked) of each part.

    Raises:
        UserError: two of count and shares at once, one that is out of bounds, shares of both kinds in one mix.
    """
    used = set()
    for key, ask in asked:
        given = [kind for kind in KINDS if getattr(ask, kind) is not None]
        if len(given) > 1:
            raise UserError(f"{key}: {' and '.join(given)} exclude each other; give one")
        check_least(f"{key}.count", ask.count or 0, 0)
        for kind in given:
            share = getattr(ask, kind)
            if kind != "count" and not 0 <= share <= 1:
                raise UserError(f"{key}.{kind}: got {share}, expected 0 to 1")
        used |= set(given)
    if {"share_of_sequences", "share_of_tokens"} <= used:
        raise UserError("data: share_of_sequences and share_of_tokens cannot be mixed; use one kind for all sources")


def _fixed_counts(parts: Sequence[Part]) -> dict[str, int]:
    counts = {}
    for part in parts:
        if part.ask.share_of_sequences is not None or part.ask.share_of_tokens is not None:
            continue
        there = len(part.rows)
        asked = counts[part.key] = there if part.ask.count is None else part.ask.count
        if asked > there and not (part.repeat and there):
            remedy = f"ask for less or set {part.key}.repeat: true" if there else "leave it out"
            raise UserError(f"{part.key}.count: {counted(asked, 'row')} asked for, of {there:,}; {remedy}")
    return counts


def _solve_shares(
    shares: Mapping[str, float],
    weights: Mapping[str, np.ndarray],
    counts: Mapping[str, int],
    repeats: Mapping[str, bool],
    kind: str,
) -> dict[str, int]:
    """Rows of the parts with shares. weights[key]: running sum, over the part's rows, of 1 or of their tokens.

    counts: rows of the parts without a share. kind: share_of_sequences or share_of_tokens.
    """
    fixed = sum(_weight_of(weights[key], count) for key, count in counts.items())
    total_share = sum(shares.values())
    available = {key: _weight_of(weights[key], len(weights[key])) for key in shares}
    what = "sequences" if kind == "share_of_sequences" else "tokens"
    for key, share in shares.items():
        if share > 0 and not available[key]:
            raise UserError(f"{key}.{kind}: {share:g} of the mix is asked for, there are 0 {what}; leave it out")
    if fixed == 0:
        if abs(total_share - 1) > 1e-6:
            raise UserError(f"data: {kind} sums to {total_share:.7g} over all sources, expected 1")
        limits = [available[key] / share for key, share in shares.items() if share > 0 and not repeats[key]]
        grown = [available[key] / share for key, share in shares.items() if share > 0]
        total = min(limits) if limits else max(grown)  # all may repeat: until each row has been seen
    elif total_share >= 1:
        raise UserError(f"data: {kind} sums to {total_share:g}, which leaves nothing for the sources without a share")
    else:
        total = fixed / (1 - total_share)
    for key, share in shares.items():
        asked, there = share * total, available[key]
        if asked > there * (1 + 1e-9) + 0.5 and not repeats[key]:
            largest = there * (1 - total_share + share) / (fixed + there)
            raise UserError(
                f"{key}.{kind}: {share:g} of the mix is {asked:.0f} {what}, there are {there}; the largest"
                f" possible is {int(largest * 1e4) / 1e4:g}, or set {key}.repeat: true"
            )
    rows = {key: _rows_for_weight(weights[key], share * total) for key, share in shares.items()}
    # half a row more than there are may be asked for, and is rounded up
    rows = {key: count if repeats[key] else min(count, len(weights[key])) for key, count in rows.items()}
    for key in rows:
        if shares[key] > 0 and not rows[key]:
            log.info("%s.%s: %g of the mix makes no row: none is taken", key, kind, shares[key])
    return rows


def _weight_of(running: np.ndarray, count: int) -> int:
    """Sequences or tokens of the first `count` rows of a part whose rows are repeated where they are too few."""
    if len(running) == 0:
        return 0
    rounds, rest = divmod(count, len(running))
    return int(rounds * running[-1] + (running[rest - 1] if rest else 0))


def _rows_for_weight(running: np.ndarray, weight: float) -> int:
    """The number of rows whose weight comes nearest to `weight`; rows are repeated where they are too few."""
    if len(running) == 0 or weight <= 0:
        return 0
    rounds, rest = divmod(weight, float(running[-1]))
    edges = np.concatenate([[0], running])
    after = min(int(np.searchsorted(edges, rest)), len(running))
    nearest = after - 1 if after and rest - edges[after - 1] < edges[after] - rest else after
    return int(rounds) * len(running) + nearest
