"""Dealing items to the packs of many steps at once: the dearest first, each to the pack that costs least so far.

The items of each step go in; `Dealt`, the packs with their tokens and costs, comes out.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Items:
    """What is dealt: sequences, or bundles of very short ones. tokens, costs, counts (of sequences): arrays [I]."""

    tokens: np.ndarray
    costs: np.ndarray
    counts: np.ndarray


@dataclass
class Dealt:
    """Items in packs: pack_of int64[I] (-1: not in a pack yet), pack_tokens and pack_costs [steps, packs_per_step]."""

    pack_of: np.ndarray
    pack_tokens: np.ndarray
    pack_costs: np.ndarray


def bundle(
    lengths: np.ndarray, costs: np.ndarray, max_length: int, rng: np.random.Generator, finest: int = 128
) -> tuple[np.ndarray, Items]:
    """(item_of int64[n], items): sequences of at most half of max_length / finest tokens are dealt in bundles.

    This bounds the rounds of `deal_longest_first` where packs hold thousands of tiny sequences; most mixes have no
    bundle.
    """
    n = len(lengths)
    grain = max_length // finest  # tokens of a bundle
    tiny = np.flatnonzero(lengths * 2 <= grain)
    item_of = np.empty(n, np.int64)
    large = np.ones(n, bool)
    large[tiny] = False
    num_large = n - len(tiny)
    item_of[large] = np.arange(num_large)
    num_items = num_large
    if len(tiny):
        tiny = systematic(tiny, lengths, rng)
        # a bundle ends where the running sum passes a multiple of the grain, so it has at most 1.5 grains
        bundles = (np.cumsum(lengths[tiny]) - 1) // grain
        item_of[tiny] = num_large + np.unique(bundles, return_inverse=True)[1]
        num_items = int(item_of[tiny[-1]]) + 1
    elif num_large == n:
        return item_of, Items(lengths, costs, np.ones(n, np.int64))
    tokens = np.bincount(item_of, weights=lengths, minlength=num_items).astype(np.int64)
    return item_of, Items(tokens, np.bincount(item_of, weights=costs), np.bincount(item_of))


def systematic(ids: np.ndarray, tokens: np.ndarray, rng: np.random.Generator, strata: int = 32) -> np.ndarray:
    """Shuffle `ids` so that every `strata` of them in a row hold one of each quantile of the lengths."""
    ids = rng.permutation(ids)
    ids = ids[np.argsort(tokens[ids], kind="stable")]
    blocks = np.array_split(ids, min(strata, max(1, len(ids))))
    for block in blocks:
        rng.shuffle(block)
    even = len(blocks[-1])
    mixed = np.stack([block[:even] for block in blocks], axis=1)
    for row in mixed[:: max(1, len(mixed) // 4096)]:  # the order of the strata, in some rows: all would take long
        rng.shuffle(row)
    return np.concatenate([mixed.ravel(), *[block[even:] for block in blocks]])


def deal_longest_first(items: Items, ids: np.ndarray, step_of: np.ndarray, dealt: Dealt, max_length: int) -> None:
    """Inside each step: items by falling cost, each to the pack of least cost that has room. Changes `dealt`.

    ids, step_of: int64[J], items and their steps. Round k deals the k-th item of every step at once, so the Python loop
    has as many rounds as the fullest step has items. An item that finds no room keeps pack_of -1.
    """
    num_steps, packs_per_step = dealt.pack_tokens.shape
    order = ids[np.lexsort((-items.costs[ids], step_of))]
    in_step = np.bincount(step_of, minlength=num_steps)
    fullest_first = np.argsort(-in_step, kind="stable")
    first = np.concatenate([[0], np.cumsum(in_step)[:-1]])[fullest_first]
    remaining = in_step[fullest_first]
    pack_tokens, pack_costs = dealt.pack_tokens[fullest_first], dealt.pack_costs[fullest_first]
    active = num_steps  # steps that still have an item in round k: the first ones, as they are sorted by size
    for k in range(int(in_step.max(initial=0))):
        while remaining[active - 1] <= k:
            active -= 1
        item = order[first[:active] + k]
        length, cost = items.tokens[item], items.costs[item]
        open_costs = np.where(pack_tokens[:active] <= (max_length - length)[:, None], pack_costs[:active], np.inf)
        pack = open_costs.argmin(axis=1)
        rows = np.arange(active)
        has_room = open_costs[rows, pack] < np.inf
        rows, pack, item = rows[has_room], pack[has_room], item[has_room]
        pack_tokens[rows, pack] += length[has_room]
        pack_costs[rows, pack] += cost[has_room]
        dealt.pack_of[item] = fullest_first[rows] * packs_per_step + pack
    dealt.pack_tokens[fullest_first], dealt.pack_costs[fullest_first] = pack_tokens, pack_costs


def fill_gaps(items: Items, ids: np.ndarray, dealt: Dealt, max_length: int, rounds: int = 12) -> None:
    """Put items that found no room in their own step into the gaps of any step. Changes `dealt`.

    Each round gives the longest item left to the pack with the largest gap, the second to the second, and so on. The
    first half of the rounds only uses gaps in which an item does not make its pack the dearest of its step.
    """
    tokens, costs = dealt.pack_tokens.reshape(-1), dealt.pack_costs.reshape(-1)  # views
    for k in range(rounds):
        left = ids[dealt.pack_of[ids] < 0]
        if len(left) == 0:
            return
        room = (max_length - tokens).astype(np.float64)
        if k < rounds // 2:
            slack = dealt.pack_costs.max(axis=1, keepdims=True) - dealt.pack_costs
            room = np.minimum(room, slack.reshape(-1) * (items.tokens[left].sum() / items.costs[left].sum()))
        packs = np.argsort(-room, kind="stable")[: len(left)]
        left = left[np.argsort(-items.tokens[left], kind="stable")][: len(packs)]
        fits = items.tokens[left] <= room[packs]
        left, packs = left[fits], packs[fits]
        dealt.pack_of[left] = packs
        tokens[packs] += items.tokens[left]
        costs[packs] += items.costs[left]
