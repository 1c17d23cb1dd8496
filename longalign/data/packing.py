"""Sequences into packs by tokens alone: best-fit decreasing (the `packing` strategy) and, as a baseline, next-fit.

Lengths go in, `pack_of` int64[n] and the number of packs come out. Nothing here knows of steps, ranks or time.
"""

from bisect import bisect_left, insort

import numpy as np


def group_by_pack(pack_of: np.ndarray, num_packs: int) -> tuple[np.ndarray, np.ndarray]:
    """(order int64[n], offsets int64[num_packs + 1]): pack p holds order[offsets[p]:offsets[p + 1]], in input order."""
    offsets = np.zeros(num_packs + 1, np.int64)
    np.cumsum(np.bincount(pack_of, minlength=num_packs), out=offsets[1:])
    # [1,0,1] -> order [1,0,2], offsets [0,1,3]
    return np.argsort(pack_of, kind="stable"), offsets


class _OpenPacks:
    """Packs with room left, kept by that room (in tokens), so that the fullest one with enough is found at once."""

    def __init__(self) -> None:
        self._packs: dict[int, list[np.ndarray]] = {}  # room -> arrays of pack numbers
        self._rooms: list[int] = []  # the keys of _packs, sorted

    def put(self, room: int, packs: np.ndarray) -> None:
        """Add packs that have `room` tokens left; full packs are forgotten."""
        if len(packs) == 0 or room == 0:
            return
        if room not in self._packs:
            self._packs[room] = []
            insort(self._rooms, room)
        self._packs[room].append(packs)

    def take(self, length: int) -> tuple[int, np.ndarray]:
        """Remove all packs of the least room that holds `length` tokens: (room, pack numbers); none: (0, empty)."""
        at = bisect_left(self._rooms, length)
        if at == len(self._rooms):
            return 0, np.zeros(0, np.int64)
        room = self._rooms.pop(at)
        return room, np.concatenate(self._packs.pop(room))


def best_fit_decreasing(
    lengths: np.ndarray, max_length: int, rng: np.random.Generator | None = None
) -> tuple[np.ndarray, int]:
    """Each sequence, longest first, into the fullest pack that still has room for it.

    lengths: int[n], each from 1 to max_length. Returns (pack_of int64[n], number of packs).

    Equals the textbook loop over sequences, but deals all sequences of one length together: the packs with the least
    room that is enough are filled one after the other, because a pack that has just taken a sequence is the fullest
    that has room for the next. Sorting, O(n) copying, and a Python loop of a few rounds for each distinct length. With
    `rng`, which of the sequences of one length goes where is random, so that packs differ from epoch to epoch.
    """
    n = len(lengths)
    assert n == 0 or lengths.max() <= max_length, "a sequence is longer than a pack"
    shuffled = rng.permutation(n) if rng is not None else np.arange(n)
    by_length = shuffled[np.argsort(-lengths[shuffled], kind="stable")]
    distinct, counts = np.unique(lengths, return_counts=True)
    pack_of_sorted = np.empty(n, np.int64)
    open_packs = _OpenPacks()
    start = num_packs = 0
    for length, count in zip(distinct[::-1].tolist(), counts[::-1].tolist(), strict=True):
        stop = start + count
        while start < stop:
            room, packs = open_packs.take(length)
            if len(packs) == 0:
                room = max_length
                packs = num_packs + np.arange(-((start - stop) // (room // length)))  # the division rounded up
                num_packs += len(packs)
            per_pack = room // length
            taken = min(stop - start, len(packs) * per_pack)
            whole, rest = divmod(taken, per_pack)  # so many packs take per_pack each, the next one takes the rest
            pack_of_sorted[start : start + taken] = np.repeat(packs, per_pack)[:taken]
            open_packs.put(room - per_pack * length, packs[:whole])
            if rest:
                open_packs.put(room - rest * length, packs[whole : whole + 1])
            open_packs.put(room, packs[whole + (rest > 0) :])
            start += taken
    pack_of = np.empty(n, np.int64)
    pack_of[by_length] = pack_of_sorted
    return pack_of, num_packs


def next_fit(lengths: np.ndarray, max_length: int) -> tuple[np.ndarray, int]:
    """Baseline: sequences in file order, a new pack whenever the next one does not fit (LongAlign's packing).

    lengths: int[n], each from 1 to max_length. The original loses its last pack; here it is kept.
    """
    assert len(lengths) == 0 or lengths.max() <= max_length, "a sequence is longer than a pack"
    ends = np.cumsum(lengths)
    pack_starts = []
    start, done = 0, 0
    while start < len(lengths):
        pack_starts.append(start)
        start = int(np.searchsorted(ends, done + max_length, side="right"))
        done = int(ends[start - 1])
    pack_of = np.zeros(len(lengths), np.int64)
    pack_of[pack_starts[1:]] = 1
    return np.cumsum(pack_of), len(pack_starts)
