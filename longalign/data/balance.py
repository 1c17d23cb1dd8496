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
How much time to lose, and the threshold, are tried out on a sample of the lengths (see `choose_mixture`).
"""

from dataclasses import dataclass

import numpy as np

from longalign.data.packing import best_fit_decreasing

# Tokens are planned to this share of the room, so that what is dealt last still finds a gap.
PLANNED_FILL = 0.98
SHORT_QUANTILE = 0.65
THRESHOLDS = (0.5, 0.55, 0.6, 0.65, 0.75, 1.0)
EVENNESSES = (1.0, 0.9, 0.75, 0.5, 0.0)


@dataclass(frozen=True)
class Mixture:
    """What a balanced plan is free to choose.

    threshold: share of max_length above which a sequence is long, and shares its step with its like only.
    evenness: 1 = every step has the same number of sequences, whatever time that costs; 0 = no time is lost for it.
    """

    threshold: float
    evenness: float


@dataclass(frozen=True)
class Items:
    """What is dealt: a sequence, or a bundle of very short ones (tokens, cost, count: arrays [I])."""

    tokens: np.ndarray
    costs: np.ndarray
    counts: np.ndarray


@dataclass
class Dealt:
    """Items in packs: pack_of int64[I] (-1: found no room), pack_tokens and pack_costs [steps, packs_per_step]."""

    pack_of: np.ndarray
    pack_tokens: np.ndarray
    pack_costs: np.ndarray


def balanced_packs(
    lengths: np.ndarray, costs: np.ndarray, max_length: int, packs_per_step: int, rng: np.random.Generator
) -> tuple[np.ndarray, int]:
    """(pack_of int64[n], num_packs), num_packs a multiple of packs_per_step; packs may be empty in any step."""
    item_of, items = bundle(lengths, costs, max_length, rng)
    mixture = choose_mixture(items, max_length, packs_per_step)
    dealt = deal(items, max_length, packs_per_step, mixture, rng)
    return dealt.pack_of[item_of], dealt.pack_tokens.size


def deal(
    items: Items, max_length: int, packs_per_step: int, mixture: Mixture, rng: np.random.Generator
) -> Dealt:
    """All items in packs. What finds no room in any step, which is rare, makes steps of its own at the end."""
    step_of, num_steps = compose_steps(items, max_length, packs_per_step, mixture, rng)
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


def bundle(
    lengths: np.ndarray, costs: np.ndarray, max_length: int, rng: np.random.Generator, finest: int = 256
) -> tuple[np.ndarray, Items]:
    """(item_of int64[n], items): sequences much shorter than max_length / finest travel together.

    Bounds the rounds of dealing where packs hold thousands of tiny sequences; most mixes have no bundle.
    """
    n = len(lengths)
    grain = max_length // finest
    tiny = np.flatnonzero(lengths * 2 <= grain)
    item_of = np.empty(n, np.int64)
    large = np.ones(n, bool)
    large[tiny] = False
    num_large = n - len(tiny)
    item_of[large] = np.arange(num_large)
    num_items = num_large
    if len(tiny):
        tiny = systematic(tiny, lengths, rng)
        # a bundle closes where the running sum passes a multiple of the grain: at most 1.5 grains
        bundles = (np.cumsum(lengths[tiny]) - 1) // grain
        item_of[tiny] = num_large + np.unique(bundles, return_inverse=True)[1]
        num_items = int(item_of[tiny[-1]]) + 1
    elif num_large == n:
        return item_of, Items(lengths, costs, np.ones(n, np.int64))
    tokens = np.bincount(item_of, weights=lengths, minlength=num_items).astype(np.int64)
    return item_of, Items(tokens, np.bincount(item_of, weights=costs), np.bincount(item_of))


def systematic(ids: np.ndarray, tokens: np.ndarray, rng: np.random.Generator, strata: int = 32) -> np.ndarray:
    """`ids` in an order in which each run of `strata` holds one of each quantile of the lengths, else at random."""
    ids = rng.permutation(ids)
    ids = ids[np.argsort(tokens[ids], kind="stable")]
    blocks = np.array_split(ids, min(strata, max(1, len(ids))))
    for block in blocks:
        rng.shuffle(block)
    even = len(blocks[-1])
    mixed = np.stack([block[:even] for block in blocks], axis=1)
    for row in mixed[:: max(1, len(mixed) // 4096)]:  # strata in an order of their own, now and then
        rng.shuffle(row)
    return np.concatenate([mixed.ravel(), *[block[even:] for block in blocks]])


def compose_steps(
    items: Items, max_length: int, packs_per_step: int, mixture: Mixture, rng: np.random.Generator
) -> tuple[np.ndarray, int]:
    """(step_of int64[I], num_steps): which items each step gets; see the module's docstring, points 1 to 3."""
    tokens = items.tokens
    long_from = int(mixture.threshold * max_length)
    short_to = min(int(np.quantile(tokens, SHORT_QUANTILE)), max_length // 16)
    longs = np.flatnonzero(tokens > long_from)
    longs = longs[np.argsort(-tokens[longs] * (1 + 0.003 * rng.standard_normal(len(longs))), kind="stable")]
    shorts = systematic(np.flatnonzero(tokens <= short_to), tokens, rng)
    rest = np.flatnonzero((tokens > short_to) & (tokens <= long_from))
    quotas = plan_quotas(items, longs, shorts, rest, max_length, packs_per_step, mixture)

    step_of = np.empty(len(tokens), np.int64)
    step_of[longs] = quotas.step_of_long
    deal_by_quota(step_of, shorts, tokens, np.arange(quotas.num_steps), quotas.short_tokens)
    small_to = max_length // 6
    is_small = tokens[rest] <= small_to
    small, large = systematic(rest[is_small], tokens, rng, 8), rest[~is_small]
    steps = np.flatnonzero(quotas.small_rest_only & (quotas.rest_tokens > 0))
    wanted = quotas.rest_tokens[steps].sum()
    num_dealt = int(np.searchsorted(np.cumsum(tokens[small]), wanted)) if len(steps) else 0
    deal_by_quota(step_of, small[:num_dealt], tokens, steps, quotas.rest_tokens[steps])
    steps = np.flatnonzero(~quotas.small_rest_only)
    others = systematic(np.concatenate([large, small[num_dealt:]]), tokens, rng, 8)
    if len(steps):
        deal_by_quota(step_of, others, tokens, steps, quotas.rest_tokens[steps])
        return step_of, quotas.num_steps
    # nothing but full steps of long sequences: the rest opens steps of its own
    num_more = -(-int(tokens[others].sum()) // int(PLANNED_FILL * max_length * packs_per_step))
    more = quotas.num_steps + np.arange(num_more)
    deal_by_quota(step_of, others, tokens, more, np.ones(num_more))
    return step_of, quotas.num_steps + num_more


def deal_by_quota(step_of: np.ndarray, ids: np.ndarray, tokens: np.ndarray, steps: np.ndarray, quota: np.ndarray):
    """Cut the stream `ids` into consecutive runs of tokens in proportion to `quota`, one run a step."""
    if len(ids) == 0:
        return
    ends = np.cumsum(np.maximum(quota, 1e-9))
    middles = np.cumsum(tokens[ids]) - tokens[ids] / 2
    step_of[ids] = steps[np.minimum(np.searchsorted(ends * (tokens[ids].sum() / ends[-1]), middles), len(steps) - 1)]


@dataclass
class Quotas:
    """Tokens of shorts and of the rest for each step, float[num_steps]; the first steps are those with long ones."""

    num_steps: int
    step_of_long: np.ndarray
    short_tokens: np.ndarray
    rest_tokens: np.ndarray
    small_rest_only: np.ndarray


def plan_quotas(
    items: Items,
    longs: np.ndarray,
    shorts: np.ndarray,
    rest: np.ndarray,
    max_length: int,
    packs_per_step: int,
    mixture: Mixture,
) -> Quotas:
    """Solve, by a few rounds, for the number of steps and each step's share of shorts and rest."""
    room = packs_per_step * max_length * PLANNED_FILL
    tokens = items.tokens
    long_lengths = tokens[longs].astype(np.float64)
    short_total, rest_total = float(tokens[shorts].sum()), float(tokens[rest].sum())
    short_mean = short_total / max(1, items.counts[shorts].sum())
    rest_mean = max(rest_total / max(1, items.counts[rest].sum()), 1.01 * short_mean)
    total = float(tokens.sum())
    all_counts = float(items.counts.sum())
    num_steps = max(1, int(np.ceil(total / room)))
    scale = 1.0
    for _ in range(4):
        per_step = scale * all_counts / num_steps
        # wanted sequences beside long ones of length l: fewer where the step's level makes them dear
        level = (long_lengths / max_length) ** 2
        wanted = per_step * (1 - (1 - mixture.evenness) * level)
        gap = np.maximum(max_length * 0.985 - long_lengths, 0)  # what a long one leaves of its pack
        short_needed = np.maximum(wanted - packs_per_step, 0) * short_mean
        short_needed *= short_total > 0
        light = np.maximum(short_needed - packs_per_step * gap, 0) / (0.95 * max_length - gap)
        light *= mixture.evenness > 0
        longs_per_step = np.clip(packs_per_step - light, 1, packs_per_step)
        step_of_long = np.floor(np.cumsum(1 / longs_per_step) - 1e-9 - 1 / longs_per_step * 0.5).astype(np.int64)
        step_of_long = np.maximum(step_of_long, 0)
        num_long_steps = int(step_of_long[-1]) + 1 if len(longs) else 0
        held = np.bincount(step_of_long, minlength=num_long_steps).astype(np.float64)
        long_sums = np.bincount(step_of_long, weights=long_lengths, minlength=num_long_steps)
        mean_gap = max_length - long_sums / np.maximum(held, 1)
        free = np.maximum(room - long_sums, 0)
        want = np.bincount(step_of_long, weights=wanted, minlength=num_long_steps) / np.maximum(held, 1)
        is_light = held < packs_per_step
        takes_rest = is_light | (mean_gap > max_length / 6)
        # short + rest = free; held + short / short_mean + rest / rest_mean = want
        short = np.where(
            takes_rest,
            (want - held - free / rest_mean) / (1 / max(short_mean, 1e-9) - 1 / rest_mean),
            (want - held) * short_mean,
        )
        short = np.clip(short, 0, free)
        short *= min(1.0, short_total / max(short.sum(), 1e-9))
        others = np.where(takes_rest, free - short, 0.0)
        small_only = ~(is_light & (others > max_length / 2))
        others = np.where(small_only & (mean_gap <= max_length / 6) & ~is_light, 0.0, others)
        others *= min(1.0, rest_total / max(others.sum(), 1e-9))
        remaining = total - long_lengths.sum() - short.sum() - others.sum()
        num_plain = int(np.ceil(max(remaining, 0) / room - 1e-6))
        num_steps = num_long_steps + num_plain
        if num_steps == 0:
            num_steps = num_plain = 1
    plain_short = np.full(num_plain, max(short_total - short.sum(), 0) / max(1, num_plain))
    plain_rest = np.full(num_plain, max(rest_total - others.sum(), 0) / max(1, num_plain))
    return Quotas(
        num_steps,
        step_of_long,
        np.concatenate([short, plain_short]),
        np.concatenate([others, plain_rest]),
        np.concatenate([small_only, np.zeros(num_plain, bool)]),
    )


def deal_longest_first(items: Items, ids: np.ndarray, step_of: np.ndarray, dealt: Dealt, max_length: int) -> None:
    """Inside each step: items by falling cost, each to the pack of least cost that has room. All steps at once.

    ids, step_of: int64[J]. Round k deals the k-th item of every step, so the Python loop is as long as the fullest
    step, not as the data. What finds no room keeps pack_of -1.
    """
    num_steps, packs_per_step = dealt.pack_tokens.shape
    order = ids[np.lexsort((-items.costs[ids], step_of))]
    in_step = np.bincount(step_of, minlength=num_steps)
    fullest_first = np.argsort(-in_step, kind="stable")
    first = np.concatenate([[0], np.cumsum(in_step)[:-1]])[fullest_first]
    remaining = in_step[fullest_first]
    pack_tokens, pack_costs = dealt.pack_tokens[fullest_first], dealt.pack_costs[fullest_first]
    active = num_steps
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
    """Put what found no room in its own step into gaps of any step, first where it does not lift the step's maximum.

    Each round gives the longest of what is left to the pack with the largest gap, the next to the next, and so on.
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


def choose_mixture(items: Items, max_length: int, packs_per_step: int) -> Mixture:
    """The most even mixture whose working share on a sample reaches the target; failing that, the fastest.

    The sample is every k-th item by length, so the choice depends on the lengths alone, not on seed or epoch.
    """
    target = working_share_target(packs_per_step)
    sample = systematic_sample(items, max_length, packs_per_step)
    best: tuple[tuple[bool, float], Mixture] | None = None
    for threshold in THRESHOLDS:
        for evenness in EVENNESSES:
            mixture = Mixture(threshold, evenness)
            share, spread = try_mixture(sample, max_length, packs_per_step, mixture)
            rank = (share < target, spread if share >= target else -share)
            if best is None or rank < best[0]:
                best = (rank, mixture)
    assert best is not None
    return best[1]


def working_share_target(packs_per_step: int) -> float:
    """The more ranks wait for each other, the more an even step costs: 0.987 for 8 packs a step, 0.972 for 64."""
    return 0.987 - 0.005 * float(np.clip(np.log2(max(packs_per_step, 1) / 8), 0, 4))


def systematic_sample(items: Items, max_length: int, packs_per_step: int) -> Items:
    """Every k-th item by length: at least 10,000, about 40 steps' worth, at most 40,000; all where there are fewer."""
    n = len(items.tokens)
    packs = max(1.0, items.tokens.sum() / max_length)
    size = int(min(n, max(10_000, min(40 * packs_per_step * n / packs, 40_000))))
    ids = np.argsort(items.tokens, kind="stable")[(np.arange(size) * (n / size)).astype(np.int64)]
    return Items(items.tokens[ids], items.costs[ids], items.counts[ids])


def try_mixture(sample: Items, max_length: int, packs_per_step: int, mixture: Mixture) -> tuple[float, float]:
    """(working share, spread) of a mixture on a sample; spread of sequences a step, and a quarter of the long share's.

    The sequences a step count more, because each sequence's weight in its step is 1 / M (Eq. 2).
    """
    dealt = deal(sample, max_length, packs_per_step, mixture, np.random.default_rng(0))
    num_steps = len(dealt.pack_costs)
    step_of = dealt.pack_of // packs_per_step
    in_step = np.bincount(step_of, sample.counts, num_steps)
    long_share = np.bincount(step_of, sample.tokens >= max_length // 8, num_steps) / np.maximum(in_step, 1)
    share = dealt.pack_costs.sum() / (dealt.pack_costs.max(axis=1).sum() * packs_per_step)
    spread = in_step.std() / in_step.mean() + 0.25 * long_share.std() / max(long_share.mean(), 1e-9)
    return float(share), float(spread)
