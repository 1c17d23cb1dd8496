"""Properties of every strategy first, then the quality and the speed of the plans on a LongAlign-like mix."""

import time
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longalign.data.length_mix import longalign_like_lengths
from longalign.data.plan import ARRANGED_BY_COST, STRATEGIES, SequenceCost, plan_batches
from longalign.data.plan_report import length_buckets, sequence_loss_weights, summarize
from longalign.errors import UserError

STRATEGY = st.sampled_from(sorted(STRATEGIES))
PACKS_PER_STEP = st.sampled_from([1, 2, 3, 4, 6, 8, 12])


@st.composite
def some_data(draw):
    """(lengths, num_targets, max_length): short, long, equal and full ones."""
    max_length = draw(st.sampled_from([1, 7, 64, 1024, 4096]))
    one = st.integers(1, max_length) | st.integers(1, max(1, max_length // 20)) | st.just(max_length)
    lengths = np.array(draw(st.lists(one, min_size=1, max_size=150)))
    share = draw(st.sampled_from([0.0, 0.3, 1.0]))
    return lengths, (lengths * share).astype(np.int64), max_length


def plan_of(data, strategy, packs_per_step=4, **options):
    lengths, num_targets, max_length = data
    return plan_batches(
        lengths, num_targets, strategy=strategy, max_length=max_length, packs_per_step=packs_per_step, **options
    )


def steps_of(plan):
    """Each step as the set of its packs, each pack as a tuple of its sequences."""
    return [
        sorted(tuple(plan.pack(p)) for p in range(s * plan.packs_per_step, (s + 1) * plan.packs_per_step))
        for s in range(plan.num_steps)
    ]


@settings(deadline=None)
@given(some_data(), STRATEGY, PACKS_PER_STEP, st.integers(0, 3))
def test_each_sequence_is_in_one_pack_and_no_pack_is_over_max_length(data, strategy, packs_per_step, epoch):
    lengths, _, max_length = data
    plan = plan_of(data, strategy, packs_per_step, epoch=epoch)
    assert sorted(plan.order.tolist()) == list(range(len(lengths)))
    assert plan.num_packs == plan.num_steps * packs_per_step == len(plan.pack_costs)
    tokens = np.array([lengths[plan.pack(p)].sum() for p in range(plan.num_packs)])
    assert tokens.max() <= max_length
    assert (tokens == plan.pack_tokens).all()
    assert (tokens[: (plan.num_steps - 1) * packs_per_step] > 0).all()  # only the last step is filled up
    assert 0 < plan.working_share() <= 1 + 1e-12 and 0 < plan.fill() <= 1


@settings(deadline=None)
@given(some_data(), STRATEGY, PACKS_PER_STEP)
def test_step_weights_are_sums_over_the_step(data, strategy, packs_per_step):
    _, num_targets, _ = data
    plan = plan_of(data, strategy, packs_per_step)
    for step, packs in enumerate(steps_of(plan)):
        targets = [num_targets[list(pack)] for pack in packs]
        assert plan.step_sequences[step] == sum((t > 0).sum() for t in targets)
        assert plan.step_targets[step] == sum(t.sum() for t in targets)
        assert plan.step_packs[step] == sum(t.sum() > 0 for t in targets)


@settings(deadline=None, max_examples=50)
@given(some_data(), STRATEGY, st.integers(0, 2**32))
def test_the_same_seed_gives_the_same_plan(data, strategy, seed):
    first, second = (plan_of(data, strategy, seed=seed) for _ in range(2))
    assert first.digest == second.digest
    assert (first.order == second.order).all() and (first.pack_offsets == second.pack_offsets).all()


@settings(deadline=None, max_examples=40)
@given(some_data(), STRATEGY, st.sampled_from([1, 4, 6, 8, 12]))
def test_steps_do_not_depend_on_the_world_size(data, strategy, packs_per_step):
    alone = plan_of(data, strategy, packs_per_step)
    for world_size in (w for w in (2, 3, 4, 8) if packs_per_step % w == 0):
        plan = plan_of(data, strategy, packs_per_step, world_size=world_size)
        assert plan.digest == alone.digest
        assert steps_of(plan) == steps_of(alone)
        assert (plan.step_targets == alone.step_targets).all()
        if strategy in ARRANGED_BY_COST:  # the ranks of a micro-step get neighbours in cost
            micro_steps = np.sort(alone.pack_costs.reshape(alone.num_steps, -1), axis=1).reshape(-1, world_size)
            share = micro_steps.sum() / (micro_steps.max(axis=1).sum() * world_size)
            assert plan.working_share() == pytest.approx(share)


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_other_seeds_and_epochs_give_other_steps(strategy):
    lengths = longalign_like_lengths(num_short=300, num_long=40)
    data = lengths, lengths, 65_536
    digests = {plan_of(data, strategy, seed=s, epoch=e).digest for s, e in [(0, 0), (1, 0), (0, 1), (1, 1)]}
    assert len(digests) == 4


@pytest.mark.parametrize("strategy", ["packing", "balanced"])
def test_other_epochs_put_other_sequences_together(strategy):
    lengths = longalign_like_lengths(num_short=7500, num_long=200)
    plans = [plan_of((lengths, lengths, 65_536), strategy, epoch=epoch) for epoch in (0, 1)]
    first, second = ({tuple(pack) for step in steps_of(plan) for pack in step if len(pack) > 1} for plan in plans)
    assert len(first & second) < 0.6 * len(first)  # best-fit: documents alone of their length stay together


def test_sorted_gives_neighbours_in_length_to_the_ranks_of_a_micro_step():
    lengths = longalign_like_lengths(num_short=3000, num_long=400)
    plan = plan_of((lengths, lengths, 65_536), "sorted", 96, world_size=8)
    ranked = np.argsort(np.argsort(-lengths, kind="stable"))
    micro_steps = ranked[plan.order][: 35 * 96].reshape(-1, 8)
    assert np.median(np.ptp(micro_steps, axis=1)) == 7 and plan.working_share() > 0.98


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"strategy": "best"}, "data.strategy: got 'best', expected naive, sorted"),
        ({"world_size": 3}, "data.packs_per_step: got 4 for 3 ranks, expected a multiple of 3"),
        ({"packs_per_step": 0}, "data.packs_per_step: got 0 for 1 rank"),
        ({"lengths": []}, "there is no sequence to plan"),
        ({"lengths": [5, 101]}, "data.max_length: got 100, but sequence 1 has 101 tokens"),
        ({"lengths": [0, 5]}, "sequence 0 has 0 tokens, expected 1 or more"),
        ({"lengths": [5, 5, 5]}, "differ"),
        ({"num_targets": [1, -1]}, "sequence 1 has -1 targets, expected 0 or more"),
    ],
)
def test_mistakes_are_named_in_one_line(change, said):
    arguments = {"lengths": [5, 5], "num_targets": [1, 1], "strategy": "naive", "packs_per_step": 4, **change}
    lengths, num_targets = (np.array(arguments.pop(key), np.int64) for key in ("lengths", "num_targets"))
    if len(lengths) == 0:
        num_targets = lengths
    with pytest.raises(UserError) as caught:
        plan_batches(lengths, num_targets, max_length=100, **arguments)
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("strategy", ["naive", "sorted", "packing", "balanced"])
@pytest.mark.parametrize("packs_per_step", [1, 4, 64])
def test_the_first_two_steps_hold_the_fullest_packs(strategy, packs_per_step):
    lengths = np.random.default_rng(0).integers(1, 1000, 103)
    plan = plan_of((lengths, lengths, 1000), strategy, packs_per_step)
    fullest = plan.pack_tokens.reshape(plan.num_steps, -1).max(axis=1)
    whole = len(fullest) - (plan.pack_tokens == 0).any() if plan.num_steps > 1 else 1
    assert fullest[0] == fullest[:whole].max()
    assert plan.num_steps == 1 or fullest[1] >= fullest[2:whole].max(initial=0)
    assert sorted(plan.order) == list(range(103))
    later = plan_of((lengths, lengths, 1000), strategy, packs_per_step, epoch=1)
    assert strategy != "naive" or packs_per_step > 1 or later.pack_tokens[0] < lengths.max()


@cache
def mix_summary(strategy, packs_per_step, world_size):
    lengths = longalign_like_lengths()
    plan = plan_of((lengths, lengths // 3, 65_536), strategy, packs_per_step, world_size=world_size)
    return summarize(plan, lengths, lengths // 3)


def test_packing_fills_its_packs():
    assert mix_summary("packing", 8, 8).fill >= 0.999


@pytest.mark.parametrize(
    ("packs_per_step", "world_size", "least_share", "most_spread"),
    [(8, 8, 0.985, 0.2), (64, 64, 0.97, 0.12), (32, 8, 0.98, 0.12), (64, 8, 0.985, 0.12)],
)
def test_balanced_keeps_ranks_busy_and_steps_even(packs_per_step, world_size, least_share, most_spread):
    summary = mix_summary("balanced", packs_per_step, world_size)
    assert summary.working_share >= least_share
    assert summary.fill >= 0.97
    assert summary.sequences_spread <= most_spread
    packing = mix_summary("packing", packs_per_step, world_size)
    assert summary.sequences_spread <= 1.1 * packing.sequences_spread
    assert summary.long_share_spread <= 1.1 * packing.long_share_spread


@pytest.mark.parametrize("lengths", [np.full(3000, 40_000), np.full(20_000, 3), np.arange(1, 4001) * 16])
def test_balanced_takes_any_mix(lengths):
    plan = plan_of((lengths, lengths, 65_536), "balanced", 8, world_size=8)
    least_packs = 3000 if lengths[0] == 40_000 else lengths.sum() / 65_536
    assert plan.num_packs <= 1.12 * least_packs + 8
    assert plan.working_share() >= 0.95


def test_balanced_evens_out_small_data_with_short_packs():
    rng = np.random.default_rng(0)
    lengths = rng.permutation(np.concatenate([rng.integers(150, 700, 500), rng.integers(4096, 8192, 80)]))
    plan = plan_of((lengths, lengths, 8192), "balanced", 8, world_size=8)
    summary = summarize(plan, lengths, lengths)
    assert summary.working_share >= 0.97 and summary.sequences_spread <= 0.15


def test_balanced_takes_a_cost_without_attention():
    lengths = longalign_like_lengths(num_short=7500, num_long=1000)
    plan = plan_of((lengths, lengths, 65_536), "balanced", 8, world_size=8, cost=SequenceCost(1.0, 0.0))
    assert plan.working_share() >= 0.95
    np.testing.assert_array_equal(plan.pack_costs, plan.pack_tokens)


def test_a_million_sequences_are_planned_in_seconds():
    lengths = longalign_like_lengths(num_short=882_353, num_long=117_647)
    start = time.perf_counter()
    plan_of((lengths, lengths, 65_536), "balanced", 8, world_size=8)
    assert time.perf_counter() - start < 15  # 2 s on two free cores; 5 s is what is asked


def test_a_million_tiny_sequences_are_planned_in_seconds():
    lengths = np.random.default_rng(0).integers(1, 30, 1_000_000)
    start = time.perf_counter()
    plan = plan_of((lengths, lengths, 65_536), "balanced", 32, world_size=32)
    assert time.perf_counter() - start < 15 and plan.fill() > 0.85


@settings(deadline=None, max_examples=50)
@given(some_data(), STRATEGY)
def test_loss_weights_of_a_step_sum_to_one(data, strategy):
    _, num_targets, _ = data
    plan = plan_of(data, strategy)
    for weights in sequence_loss_weights(plan, num_targets).values():
        for step, packs in enumerate(steps_of(plan)):
            total = weights[[i for pack in packs for i in pack]].sum()
            assert total == pytest.approx(1.0 if plan.step_targets[step] else 0.0)


def test_buckets_say_who_owns_the_gradient():
    lengths, num_targets = np.array([10, 10, 10, 5000]), np.array([5, 5, 0, 90])
    plan = plan_of((lengths, num_targets, 8192), "packing", 1)
    buckets = length_buckets(plan, lengths, num_targets, (0, 1024, 2048, 4096, 8192))
    assert buckets.edges == (0, 1024, 2048, 4096) and buckets.counts.tolist() == [3, 0, 0, 1]
    np.testing.assert_allclose(buckets.loss["sequence"], [2 / 3, 0, 0, 1 / 3])
    np.testing.assert_allclose(buckets.loss["token"], [0.1, 0, 0, 0.9])
    np.testing.assert_allclose(buckets.targets, [0.1, 0, 0, 0.9])
