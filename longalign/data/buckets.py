"""Buckets of a source: ranges of length in tokens, each with a count or share of its own.

In: names such as "8k-16k". Out: their bounds, and which rows of a source lie in them.
"""

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from longalign.errors import UserError

_RANGE = re.compile(r"(\d+)(k?)-(?:(\d+)(k?))?")


@dataclass(frozen=True)
class Bucket:
    """How many of a source's rows of one range of lengths to take; all, if neither count nor share is given.

    Args:
        count: how many rows to take, drawn by the seed.
        share_of_sequences: the bucket's share of all sequences of the mix, 0 to 1.
        share_of_tokens: the bucket's share of all tokens of the mix, 0 to 1.
        repeat: take rows again where count or share asks for more than there are; the source's by default.
    """

    count: int | None = None
    share_of_sequences: float | None = None
    share_of_tokens: float | None = None
    repeat: bool | None = None


@dataclass(frozen=True)
class LengthRange:
    """Lengths in tokens from `low` to below `below`, which is None where the range is open."""

    low: int
    below: int | None

    def holds(self, lengths: np.ndarray) -> np.ndarray:
        """bool [n]: which lengths lie inside."""
        inside = lengths >= self.low
        return inside if self.below is None else inside & (lengths < self.below)


def length_range(name: str, key: str) -> LengthRange:
    """ "8k-16k" is 8192 to 16383 tokens, "64k-" 65536 and more, "500-1000" 500 to 999: k is 1024, as in a 64k pack.

    Raises:
        UserError: `name` is no range, or an empty one; `key` is named.
    """
    found = _RANGE.fullmatch(str(name).strip())
    if found is None:
        raise UserError(
            f"{key}: got {name!r}, expected tokens from-below such as 8k-16k, 500-1000, or 64k- without end"
        )
    low, below = (
        None if n is None else int(n) * (1024 if k else 1) for n, k in (found.groups()[:2], found.groups()[2:])
    )
    assert low is not None
    if below is not None and below <= low:
        raise UserError(f"{key}: {name} holds no length, as it ends at {below} tokens; expected from-below")
    return LengthRange(low, below)


def length_ranges(buckets: Mapping[str, Bucket], key: str) -> dict[str, LengthRange]:
    """The range of each bucket, by rising length.

    Raises:
        UserError: a name is no range, two overlap, or there is none at all; `key` is named.
    """
    if not buckets:
        raise UserError(f"{key}: holds no bucket; give some, such as {{8k-16k: {{share_of_tokens: 0.2}}}}, or null")
    ranges = {name: length_range(name, key) for name in buckets}
    ordered = sorted(ranges.items(), key=lambda item: item[1].low)
    for (name, first), (other, second) in itertools.pairwise(ordered):
        if first.below is None or second.low < first.below:
            raise UserError(f"{key}: {name} and {other} overlap; a length belongs to one bucket")
    return dict(ordered)


def outside_text(count: int, shortest: int, longest: int) -> str:
    """What is said of the rows that lie in no bucket: how many, and how long they are."""
    return f"{count:,} × outside of all buckets, {shortest:,} to {longest:,} tokens (left out)"
