"""The `balanced` strategy: the packs of a step cost the same time, and all steps hold the same mixture of lengths.

Lengths and costs go in, `pack_of` int64[n] comes out; pack p belongs to step p // packs_per_step.

The two aims contradict each other. A document near max_length fills a pack alone and, attention being quadratic, costs
twice as much as a pack of chats. If only some packs of a step hold such documents, the ranks with the other packs wait;
if all do, the step has no room for chats. So:
  1. *Long* sequences (above a threshold) are sorted by length, and neighbours share a step, so that its packs cost
     about the same.
  2. *Short* sequences (the lower part of the lengths) are dealt so that every step has the same number of sequences.
     Where the long ones of a step leave too little room, a few of its packs hold short ones alone. The ranks of these
     packs wait, which costs little, because short sequences need few packs.
  3. The *rest* fills up all steps; each step gets an even sample of its lengths.
  4. Inside a step, sequences are dealt longest first, each to the pack that costs least and has room
     (longest-processing-time-first scheduling).
The threshold, and how much waiting to accept, are chosen by trial on a sample of the lengths (see `choose_tradeoff`).
"""

from dataclasses import dataclass

import numpy as np

from longalign.data.composition import Tradeoff, compose_steps
from longalign.data.dealing import Dealt, Items, bundle, deal_longest_first, fill_gaps
from longalign.data.packing import best_fit_decreasing

THRESHOLDS = (0.45, 0.5, 0.55, 0.6, 0.65, 0.75)
EVENNESSES = (1.0, 0.9, 0.8, 0.65, 0.4, 0.0)
# In the score of a trial, each 0.01 of working share below the target counts as much as 0.5 of spread.
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
    """Put all items into packs. The rare ones that find no room in any step get steps of their own at the end."""
    step_of, num_steps = compose_steps(items, max_length, packs_per_step, tradeoff, rng)
    shape = (num_steps, packs_per_step)
    dealt = Dealt(np.full(len(items.tokens), -1, np.int64), np.zeros(shape, np.int64), np.zeros(shape))
    # large items first, also those that move to another step, so that small ones do not take up their room
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
    """The trade-off of the best score on a sample: the most even steps whose working share reaches the target.

    A share below the target costs score, see `SPREAD_PER_SHARE`. A trade-off that needs over 3 % more packs than
    another one is not considered.
    """
    target = working_share_target(packs_per_step)
    sample = systematic_sample(items, max_length, packs_per_step)
    # thresholds that no item exceeds all give the plan of Tradeoff(1.0, 1.0), whatever the evenness
    thresholds = [t for t in THRESHOLDS if items.tokens.max() > int(t * max_length)]
    tried = [try_tradeoff(sample, max_length, packs_per_step, Tradeoff(1.0, 1.0))]
    for threshold in thresholds:
        reached = 0
        for evenness in EVENNESSES:
            tried.append(try_tradeoff(sample, max_length, packs_per_step, Tradeoff(threshold, evenness)))
            reached += tried[-1].working_share >= target
            if reached == 2:  # a lower evenness would only save more time, at the price of less even steps
                break
    most_packs = 1.03 * min(trial.num_packs for trial in tried)

    def score(trial: Trial) -> float:
        return trial.spread + SPREAD_PER_SHARE * max(0.0, target - trial.working_share)

    return min((trial for trial in tried if trial.num_packs <= most_packs), key=score).tradeoff


def working_share_target(packs_per_step: int) -> float:
    """0.987 for up to 8 packs a step, 0.972 for 64: even steps cost more time where more ranks wait for each other."""
    return 0.987 - 0.005 * float(np.clip(np.log2(max(packs_per_step, 1) / 8), 0, 4))


def systematic_sample(items: Items, max_length: int, packs_per_step: int) -> Items:
    """Every k-th item by length: those of about 40 steps, from 20,000 to 40,000; all where there are fewer."""
    n = len(items.tokens)
    packs = max(1.0, items.tokens.sum() / max_length)
    size = int(min(n, max(20_000, min(40 * packs_per_step * n / packs, 40_000))))
    ids = np.argsort(items.tokens, kind="stable")[(np.arange(size) * (n / size)).astype(np.int64)]
    return Items(items.tokens[ids], items.costs[ids], items.counts[ids])


@dataclass(frozen=True)
class Trial:
    """What a trade-off gives on a sample.

    spread: std / mean, over steps, of the number of sequences, plus a quarter of that of the share of long sequences.
    The number counts more, because it is the normaliser M of a step: a sequence's weight in its step is 1 / M (Eq. 2).
    """

    tradeoff: Tradeoff
    working_share: float
    spread: float
    num_packs: int


def try_tradeoff(sample: Items, max_length: int, packs_per_step: int, tradeoff: Tradeoff) -> Trial:
    """Plan the sample with this trade-off, always with the same seed, and measure the plan."""
    dealt = deal(sample, max_length, packs_per_step, tradeoff, np.random.default_rng(0))
    num_steps = len(dealt.pack_costs)
    step_of = dealt.pack_of // packs_per_step
    in_step = np.bincount(step_of, sample.counts, num_steps)
    long_share = np.bincount(step_of, sample.tokens >= max_length // 8, num_steps) / np.maximum(in_step, 1)
    share = dealt.pack_costs.sum() / (dealt.pack_costs.max(axis=1).sum() * packs_per_step)
    spread = in_step.std() / in_step.mean() + 0.25 * long_share.std() / max(long_share.mean(), 1e-9)
    return Trial(tradeoff, float(share), float(spread), int(np.count_nonzero(dealt.pack_tokens)))
