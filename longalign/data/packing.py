"""Sequences into packs by tokens alone: best-fit decreasing (the `packing` strategy) and two baselines.

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


def best_fit_decreasing(
    lengths: np.ndarray, max_length: int, rng: np.random.Generator | None = None
) -> tuple[np.ndarray, int]:
    """Each sequence, longest first, into the fullest pack that still has room for it.

    Equals the textbook loop over sequences, but runs over distinct (length, room) pairs: of the packs with the least
    room that is enough, each takes as many sequences of this length as fit, because a pack that has just taken one is
    now the fullest that has room. With `rng` it is random which of the sequences of one length goes where, so that
    packs differ from epoch to epoch. Cost: sorting, O(n) copying, and a Python loop of a few rounds a distinct length.
    """
    n = len(lengths)
    shuffled = rng.permutation(n) if rng is not None else np.arange(n)
    by_length = shuffled[np.argsort(-lengths[shuffled], kind="stable")]
    lengths_down = lengths[by_length]
    starts = np.flatnonzero(np.r_[True, lengths_down[1:] != lengths_down[:-1]]) if n else np.zeros(0, np.int64)
    stops = np.r_[starts[1:], n].tolist() if n else []
    pack_of_sorted = np.empty(n, np.int64)
    packs_with_room: dict[int, list[np.ndarray]] = {}
    rooms: list[int] = []  # sorted keys of packs_with_room
    num_packs = 0

    def put_back(room: int, packs: np.ndarray) -> None:
        if len(packs) == 0 or room == 0:
            return
        if room in packs_with_room:
            packs_with_room[room].append(packs)
        else:
            packs_with_room[room] = [packs]
            insort(rooms, room)

    for start, stop in zip(starts.tolist(), stops, strict=True):
        length = int(lengths_down[start])
        while start < stop:
            k = bisect_left(rooms, length)
            if k < len(rooms):
                room = rooms.pop(k)
                chunks = packs_with_room.pop(room)
                packs = chunks[0] if len(chunks) == 1 else np.concatenate(chunks)
            else:
                room = max_length
                opened = -((start - stop) // (room // length))  # ceil((stop - start) / (room // length))
                packs = np.arange(num_packs, num_packs + opened)
                num_packs += len(packs)
            per_pack = room // length
            whole = min(len(packs), (stop - start) // per_pack)
            taken = whole * per_pack
            pack_of_sorted[start : start + taken] = np.repeat(packs[:whole], per_pack)
            put_back(room - per_pack * length, packs[:whole])
            start += taken
            if whole < len(packs):
                rest = stop - start  # fewer than per_pack: one more pack takes them all
                pack_of_sorted[start:stop] = packs[whole]
                put_back(room - rest * length, packs[whole : whole + 1])
                put_back(room, packs[whole + 1 :])
                start = stop
    pack_of = np.empty(n, np.int64)
    pack_of[by_length] = pack_of_sorted
    return pack_of, num_packs


def next_fit(lengths: np.ndarray, max_length: int) -> tuple[np.ndarray, int]:
    """Baseline: sequences in file order, a new pack whenever the next one does not fit (LongAlign's packing).

    The original loses its last pack; here it is kept.
    """
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
