"""What each step of a `balanced` plan holds: long sequences of about one length, and as many sequences as other steps.

Items go in, `step_of` int64[I] comes out. See data/balance.py for the idea.
"""

from dataclasses import dataclass

import numpy as np

from longalign.data.dealing import Items, systematic

# Steps are planned to be filled to this share, so that the items that are dealt last still find a gap.
PLANNED_FILL = 0.98
# A sequence is short up to this quantile of the lengths, and up to max_length / 8 at most.
SHORT_QUANTILE = 0.65
# A sequence of the rest is small, and may fill the gaps beside long ones, up to this share of max_length.
SMALL_REST = 1 / 6


@dataclass(frozen=True)
class Tradeoff:
    """What a balanced plan is free to choose.

    threshold: share of max_length above which a sequence is long, and shares its step with others of about its length.
    evenness: from 1, every step has the same number of sequences, whatever time that costs, to 0, no time is given up
        for that.
    """

    threshold: float
    evenness: float


@dataclass(frozen=True)
class Supply:
    """What there is to deal: tokens in all and mean tokens of a sequence, of the short ones and of the rest.

    sequences, tokens: of everything, long ones too.
    """

    short_tokens: float
    short_mean: float
    rest_tokens: float
    rest_mean: float
    sequences: float
    tokens: float

    @classmethod
    def of(cls, items: Items, shorts: np.ndarray, rest: np.ndarray) -> "Supply":
        short_tokens, rest_tokens = float(items.tokens[shorts].sum()), float(items.tokens[rest].sum())
        short_mean = max(short_tokens / max(1, items.counts[shorts].sum()), 1e-3)
        rest_mean = max(rest_tokens / max(1, items.counts[rest].sum()), 1.01 * short_mean)
        total = float(items.tokens.sum())
        return cls(short_tokens, short_mean, rest_tokens, rest_mean, float(items.counts.sum()), total)


def compose_steps(
    items: Items, max_length: int, packs_per_step: int, tradeoff: Tradeoff, rng: np.random.Generator
) -> tuple[np.ndarray, int]:
    """(step_of int64[I], num_steps): which items each step gets; points 1 to 3 of data/balance.py."""
    tokens = items.tokens
    long_from = int(tradeoff.threshold * max_length)
    short_to = min(int(np.quantile(tokens, SHORT_QUANTILE)), max_length // 8)
    longs = np.flatnonzero(tokens > long_from)
    jitter = 1 + 0.003 * rng.standard_normal(len(longs))  # other neighbours each epoch
    longs = longs[np.argsort(-tokens[longs] * jitter, kind="stable")]
    shorts = systematic(np.flatnonzero(tokens <= short_to), tokens, rng)
    rest = np.flatnonzero((tokens > short_to) & (tokens <= long_from))
    quotas = plan_quotas(
        tokens[longs].astype(np.float64),
        Supply.of(items, shorts, rest),
        max_length,
        packs_per_step,
        tradeoff.evenness,
    )

    step_of = np.empty(len(tokens), np.int64)
    step_of[longs] = quotas.step_of_long
    deal_by_quota(step_of, shorts, tokens, np.arange(quotas.num_steps), quotas.short_tokens)
    is_small = tokens[rest] <= max_length * SMALL_REST
    small = systematic(rest[is_small], tokens, rng, 8)
    num_dealt = deal_small_rest(step_of, small, tokens, quotas)
    others = systematic(np.concatenate([rest[~is_small], small[num_dealt:]]), tokens, rng, 8)
    steps = np.flatnonzero(~quotas.small_rest_only)
    if len(steps):
        deal_by_quota(step_of, others, tokens, steps, quotas.rest_tokens[steps])
        return step_of, quotas.num_steps
    # every step is full of long sequences: the rest gets steps of its own
    num_more = int(np.ceil(tokens[others].sum() / (PLANNED_FILL * max_length * packs_per_step)))
    more = quotas.num_steps + np.arange(num_more)
    deal_by_quota(step_of, others, tokens, more, np.ones(num_more))
    return step_of, quotas.num_steps + num_more


def deal_small_rest(step_of: np.ndarray, small: np.ndarray, tokens: np.ndarray, quotas: "Quotas") -> int:
    """Fill the steps in which only small sequences of the rest fit. Returns how many of `small` they take, its first.

    Changes `step_of`.
    """
    steps = np.flatnonzero(quotas.small_rest_only & (quotas.rest_tokens > 0))
    wanted = quotas.rest_tokens[steps].sum()
    num_dealt = int(np.searchsorted(np.cumsum(tokens[small]), wanted)) if len(steps) else 0
    deal_by_quota(step_of, small[:num_dealt], tokens, steps, quotas.rest_tokens[steps])
    return num_dealt


def deal_by_quota(step_of: np.ndarray, ids: np.ndarray, tokens: np.ndarray, steps: np.ndarray, quota: np.ndarray):
    """Give each of `steps` a run of consecutive `ids`, with tokens in proportion to its `quota`. Changes `step_of`."""
    if len(ids) == 0:
        return
    ends = np.cumsum(np.maximum(quota, 1e-9))
    middles = np.cumsum(tokens[ids]) - tokens[ids] / 2
    step_of[ids] = steps[np.minimum(np.searchsorted(ends * (tokens[ids].sum() / ends[-1]), middles), len(steps) - 1)]


@dataclass(frozen=True)
class Quotas:
    """How much each step gets. The first steps are those with long sequences.

    step_of_long: int64, the step of each long sequence. short_tokens, rest_tokens: float[num_steps], tokens of short
    sequences and of the rest. small_rest_only: bool[num_steps], steps in which only small sequences of the rest fit.
    """

    num_steps: int
    step_of_long: np.ndarray
    short_tokens: np.ndarray
    rest_tokens: np.ndarray
    small_rest_only: np.ndarray


def plan_quotas(
    long_lengths: np.ndarray, supply: Supply, max_length: int, packs_per_step: int, evenness: float
) -> Quotas:
    """Find the number of steps, and what each gets of short sequences and of the rest, by fixed-point iteration.

    Each step should have as many sequences as the average, which depends on the number of steps, which depends on what
    the steps with long sequences take in. long_lengths: float64, falling.
    """
    room = packs_per_step * max_length * PLANNED_FILL
    num_steps = max(1, int(np.ceil(supply.tokens / room)))
    for _ in range(4):
        # sequences wanted in the step of each long one: fewer beside longer ones, where ranks would wait longer
        wanted = supply.sequences / num_steps * (1 - (1 - evenness) * (long_lengths / max_length) ** 2)
        step_of_long = spread_long(long_lengths, wanted, supply, max_length, packs_per_step, evenness)
        short, rest, small_only = fill_beside_long(
            long_lengths, step_of_long, wanted, supply, max_length, packs_per_step
        )
        plain_short, plain_rest = supply.short_tokens - short.sum(), supply.rest_tokens - rest.sum()
        num_plain = int(np.ceil((plain_short + plain_rest) / room - 1e-6))
        num_steps = max(1, len(short) + num_plain)
    num_plain = num_steps - len(short)
    return Quotas(
        num_steps,
        step_of_long,
        np.concatenate([short, np.full(num_plain, max(plain_short, 0) / max(1, num_plain))]),
        np.concatenate([rest, np.full(num_plain, max(plain_rest, 0) / max(1, num_plain))]),
        np.concatenate([small_only, np.zeros(num_plain, bool)]),
    )


def spread_long(
    long_lengths: np.ndarray,
    wanted: np.ndarray,
    supply: Supply,
    max_length: int,
    packs_per_step: int,
    evenness: float,
) -> np.ndarray:
    """step_of_long int64: consecutive long sequences share a step, one a pack.

    wanted: float64, sequences that the step of each long one should have. Where the gaps beside long sequences cannot
    hold as many short ones, some packs of the step (`light`, at most all but one) are left to short ones.
    """
    gap = np.maximum(0.985 * max_length - long_lengths, 0)  # what a long one leaves of its pack
    needed = np.maximum(wanted - packs_per_step, 0) * supply.short_mean * (supply.short_tokens > 0)
    light = np.maximum(needed - packs_per_step * gap, 0) / (0.95 * max_length - gap) * (evenness > 0)
    longs_per_step = np.clip(np.floor(packs_per_step - light + 0.5), 1, packs_per_step)
    # each takes 1 / longs_per_step of a step; 2 a step: middles [0.25, 0.75, 1.25, 1.75] -> steps [0, 0, 1, 1]
    return np.floor(np.cumsum(1 / longs_per_step) - 0.5 / longs_per_step).astype(np.int64)


def fill_beside_long(
    long_lengths: np.ndarray,
    step_of_long: np.ndarray,
    wanted: np.ndarray,
    supply: Supply,
    max_length: int,
    packs_per_step: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each step with long sequences: tokens of short ones, tokens of the rest, and `Quotas.small_rest_only`."""
    longs = np.bincount(step_of_long).astype(np.float64)
    sums = np.bincount(step_of_long, weights=long_lengths)
    want = np.bincount(step_of_long, weights=wanted) / longs
    gap = max_length - sums / longs
    free = np.maximum(packs_per_step * max_length * PLANNED_FILL - sums, 0)
    has_light_packs = longs < packs_per_step
    takes_rest = has_light_packs | (gap > max_length * SMALL_REST)
    # short + rest = free and longs + short / short_mean + rest / rest_mean = want, solved for short
    mixed = (want - longs - free / supply.rest_mean) / (1 / supply.short_mean - 1 / supply.rest_mean)
    short = np.clip(np.where(takes_rest, mixed, (want - longs) * supply.short_mean), 0, free)
    short *= min(1.0, supply.short_tokens / max(short.sum(), 1e-9))
    rest = np.where(takes_rest, free - short, 0.0)
    rest *= min(1.0, supply.rest_tokens / max(rest.sum(), 1e-9))
    return short, rest, ~(has_light_packs & (rest > max_length / 2))
