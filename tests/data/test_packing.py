"""Packing by tokens: the grouped best-fit equals the textbook loop, nothing is lost, nothing overflows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longalign.data.length_mix import longalign_like_lengths
from longalign.data.packing import best_fit_decreasing, group_by_pack, next_fit

MAX_LENGTH = 64
lengths_strategy = st.lists(st.integers(1, MAX_LENGTH), min_size=1, max_size=200).map(np.array)


def textbook_best_fit_decreasing(lengths: np.ndarray, max_length: int) -> list[int]:
    rooms: list[int] = []
    for length in sorted(lengths.tolist(), reverse=True):
        enough = [(room, pack) for pack, room in enumerate(rooms) if room >= length]
        if enough:
            rooms[min(enough)[1]] -= length
        else:
            rooms.append(max_length - length)
    return sorted(max_length - room for room in rooms)


@given(lengths_strategy, st.none() | st.integers(0, 5))
def test_grouped_best_fit_equals_the_textbook_loop(lengths, seed):
    rng = None if seed is None else np.random.default_rng(seed)
    pack_of, num_packs = best_fit_decreasing(lengths, MAX_LENGTH, rng)
    tokens = np.bincount(pack_of, weights=lengths, minlength=num_packs).astype(int)
    assert sorted(tokens.tolist()) == textbook_best_fit_decreasing(lengths, MAX_LENGTH)


@given(lengths_strategy)
def test_next_fit_keeps_file_order_and_every_sequence(lengths):
    pack_of, num_packs = next_fit(lengths, MAX_LENGTH)
    assert (np.diff(pack_of) >= 0).all() and set(pack_of) == set(range(num_packs))
    tokens = np.bincount(pack_of, weights=lengths)
    assert tokens.max() <= MAX_LENGTH
    # a pack closes only because the first sequence of the next one does not fit
    firsts = lengths[np.flatnonzero(np.diff(pack_of)) + 1]
    assert (tokens[:-1] + firsts > MAX_LENGTH).all()


@given(lengths_strategy)
def test_group_by_pack_lists_each_sequence_in_its_pack(lengths):
    pack_of, num_packs = best_fit_decreasing(lengths, MAX_LENGTH)
    order, offsets = group_by_pack(pack_of, num_packs)
    assert sorted(order.tolist()) == list(range(len(lengths)))
    for pack in range(num_packs):
        members = order[offsets[pack] : offsets[pack + 1]]
        assert (pack_of[members] == pack).all() and (np.diff(members) > 0).all()


def test_no_sequence_makes_no_pack():
    pack_of, num_packs = best_fit_decreasing(np.zeros(0, np.int64), MAX_LENGTH)
    assert len(pack_of) == 0 and num_packs == 0


def test_a_sequence_longer_than_a_pack_is_a_programmers_mistake_and_no_endless_loop():
    for pack in best_fit_decreasing, next_fit:
        with pytest.raises(AssertionError, match="longer than a pack"):
            pack(np.array([3, MAX_LENGTH + 1]), MAX_LENGTH)


def test_best_fit_fills_packs_of_a_longalign_like_mix():
    lengths = longalign_like_lengths()
    for pack, least in (best_fit_decreasing, 0.999), (next_fit, 0.8):
        _, num_packs = pack(lengths, 65_536)
        assert lengths.sum() / (num_packs * 65_536) >= least


def test_another_seed_puts_other_sequences_together():
    lengths = longalign_like_lengths(num_short=750, num_long=100)
    first, second = (best_fit_decreasing(lengths, 65_536, np.random.default_rng(seed))[0] for seed in (0, 1))
    assert (first != second).any()
