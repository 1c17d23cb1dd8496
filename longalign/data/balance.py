"""The `balanced` strategy: packs of a step that cost the same time, steps that hold the same mixture of lengths.

Lengths and costs go in, `pack_of` int64[n] comes out; pack p belongs to step p // packs_per_step.

The two aims pull apart. A document near max_length fills a pack alone and, attention being quadratic, costs twice as
much as a pack of chats; ranks wait for each other unless all packs of its step hold such documents, and then the step
has no room for chats. So:
  1. *Long* sequences (above a threshold) get steps by length, neighbours together: the level of such a step.
  2. *Short* ones (the lower part of the lengths) are dealt so that every step has the same number of sequences. Where
     long ones leave too little room, a few packs of the step are given to short ones: that time is lost on purpose, and
     it is cheap, because the short ones need few packs.
  3. The *rest* fills the steps up, each step a systematic sample.
  4. Inside a step: longest first, each to the pack of least cost that has room (longest-processing-time-first).
How much time to lose, and the threshold, are tried out on a sample of the lengths (see `choose_tradeoff`).
"""

from dataclasses import dataclass

import numpy as np

from longalign.data.composition import Tradeoff, compose_steps
from longalign.data.dealing import Dealt, Items, bundle, deal_longest_first, fill_gaps
from longalign.data.packing import best_fit_decreasing

THRESHOLDS = (0.45, 0.5, 0.55, 0.6, 0.65, 0.75)
EVENNESSES = (1.0, 0.9, 0.8, 0.65, 0.4, 0.0)
# Below the target, 0.01 of working share is worth 0.5 of spread.
SPREAD_PER_SHARE = 50.0


def balanced_packs(
    lengths: np.ndarray, costs: np.ndarray, max_length: int, packs_per_step: int, rng: np.random.Generator
) -> tuple[np.ndarray, int]:
    """(pack_of int64[n], num_packs), num_packs a multiple of packs_per_step; packs may be empty in any step."""
    item_of, items = bundle(lengths, costs, max_length, rng)
    tradeoff = choose_tradeoff(items, max_length, packs_per_step)
    dealt = deal(items, max_length, packs_per_step, tradeoff, rng)
    return dealt.pack_of[item_of], dealt.pack_tokens.size


def deal(items: Items, max_length: int, packs_per_step: int, tradeoff: Tradeoff, rng: np.random.Generator) -> Dealt:
    """All items in packs. What finds no room in any step, which is rare, makes steps of its own at the end."""
    step_of, num_steps = compose_steps(items, max_length, packs_per_step, tradeoff, rng)
    shape = (num_steps, packs_per_step)
    dealt = Dealt(np.full(len(items.tokens), -1, np.int64), np.zeros(shape, np.int64), np.zeros(shape))
    # the large ones all find their place before the small ones take it
    for ids in np.flatnonzero(items.tokens > max_length // 16), np.flatnonzero(items.tokens <= max_length // 16):
        deal_longest_first(items, ids, step_of[ids], dealt, max_length)
        fill_gaps(items, ids, dealt, max_length)
    left = np.flatnonzero(dealt.pack_of < 0)
    if len(left):
        extra, num_extra = best_fit_decreasing(items.tokens[left], max_length, rng)
        dealt.pack_of[left] = num_steps * packs_per_step + extra
        num_steps += -(-num_extra // packs_per_step)
        num_packs = num_steps * packs_per_step
        dealt.pack_tokens = np.bincount(dealt.pack_of, items.tokens, num_packs).reshape(num_steps, -1).astype(np.int64)
        dealt.pack_costs = np.bincount(dealt.pack_of, items.costs, num_packs).reshape(num_steps, -1)
    return dealt


def choose_tradeoff(items: Items, max_length: int, packs_per_step: int) -> Tradeoff:
    """The most even steps whose working share on a sample reaches the target, or misses it by little.

    Choices that need 3 % more packs than the thriftiest are out. The sample is every k-th item by length.
    """
    target = working_share_target(packs_per_step)
    sample = systematic_sample(items, max_length, packs_per_step)
    # thresholds that no item is above are one and the same, and there evenness changes nothing
    lower = [t for t in THRESHOLDS if items.tokens.max() > int(t * max_length)]
    tried = [try_tradeoff(sample, max_length, packs_per_step, Tradeoff(1.0, 1.0))]
    for threshold in lower:
        reached = 0
        for evenness in EVENNESSES:
            tried.append(try_tradeoff(sample, max_length, packs_per_step, Tradeoff(threshold, evenness)))
            reached += tried[-1].working_share >= target
            if reached == 2:  # below, time is won, not evenness
                break
    few = 1.03 * min(trial.num_packs for trial in tried)

    def score(trial: Trial) -> float:
        return trial.spread + SPREAD_PER_SHARE * max(0.0, target - trial.working_share)

    return min((trial for trial in tried if trial.num_packs <= few), key=score).tradeoff


def working_share_target(packs_per_step: int) -> float:
    """The more ranks wait for each other, the more an even step costs: 0.987 for 8 packs a step, 0.972 for 64."""
    return 0.987 - 0.005 * float(np.clip(np.log2(max(packs_per_step, 1) / 8), 0, 4))


def systematic_sample(items: Items, max_length: int, packs_per_step: int) -> Items:
    """Every k-th item by length: at least 20,000, about 40 steps' worth, at most 40,000; all where there are fewer."""
    n = len(items.tokens)
    packs = max(1.0, items.tokens.sum() / max_length)
    size = int(min(n, max(20_000, min(40 * packs_per_step * n / packs, 40_000))))
    ids = np.argsort(items.tokens, kind="stable")[(np.arange(size) * (n / size)).astype(np.int64)]
    return Items(items.tokens[ids], items.costs[ids], items.counts[ids])


@dataclass(frozen=True)
class Trial:
    """What a trade-off gives on a sample. spread: of the sequences a step, plus a quarter of the long share's.

    The sequences a step count more, because each sequence's weight in its step is 1 / M (Eq. 2).
    """

    tradeoff: Tradeoff
    working_share: float
    spread: float
    num_packs: int


def try_tradeoff(sample: Items, max_length: int, packs_per_step: int, tradeoff: Tradeoff) -> Trial:
    """Plan the sample, always with the same seed."""
    dealt = deal(sample, max_length, packs_per_step, tradeoff, np.random.default_rng(0))
    num_steps = len(dealt.pack_costs)
    step_of = dealt.pack_of // packs_per_step
    in_step = np.bincount(step_of, sample.counts, num_steps)
    long_share = np.bincount(step_of, sample.tokens >= max_length // 8, num_steps) / np.maximum(in_step, 1)
    share = dealt.pack_costs.sum() / (dealt.pack_costs.max(axis=1).sum() * packs_per_step)
    spread = in_step.std() / in_step.mean() + 0.25 * long_share.std() / max(long_share.mean(), 1e-9)
    return Trial(tradeoff, float(share), float(spread), int(np.count_nonzero(dealt.pack_tokens)))
