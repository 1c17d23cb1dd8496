"""Predicted seconds against what `longalign fit` took on H200s, and how they move with what a run changes."""

from dataclasses import replace

import numpy as np
import pytest
from transformers import LlamaConfig

from longalign.commands.benchmark_gpu.cases import CASES
from longalign.commands.benchmark_gpu.inputs import all_lengths
from longalign.data.plan import plan_batches
from longalign.model.flops import model_shape, sequence_cost, train_flops
from longalign.model.memory import EIGHT_BIT_STATE, StepMemory, layer_sizes
from longalign.model.step_time import CARDS, run_seconds, step_seconds

CONFIG = LlamaConfig(intermediate_size=11008, num_hidden_layers=32)
SHAPE = model_shape(CONFIG)
COST = sequence_cost(SHAPE)
STEP = StepMemory(layer_sizes(CONFIG, SHAPE), 65536)


def plan_of(lengths, ranks=1, packs_per_step=None):
    lengths = np.asarray(lengths)
    options = {"max_length": 65536, "packs_per_step": packs_per_step or ranks, "world_size": ranks, "cost": COST}
    return plan_batches(lengths, np.ones_like(lengths), strategy="packing", **options)


def seconds(plan, step=STEP, card=CARDS[0]):
    return run_seconds(plan, COST, SHAPE, replace(step, ranks=plan.world_size), card)


@pytest.mark.parametrize(
    ("ranks", "step", "measured"),  # model TFLOP/s a GPU: longalign fit, Llama-2-7B, one document a pack, H200
    [
        (1, replace(STEP, state_bytes=EIGHT_BIT_STATE, kept_layers=7), 504),
        (1, replace(STEP, state_bytes=EIGHT_BIT_STATE, checkpointing="matmuls", kept_layers=13), 519),
        (1, replace(STEP, state_bytes=EIGHT_BIT_STATE, checkpointing="matmuls", kept_layers=22, offload=True), 537),
        (2, replace(STEP, kept_layers=7), 521),
        (1, replace(STEP, state_bytes=EIGHT_BIT_STATE, checkpointing="matmuls", kept_layers=26, offload=True), 534),
        (2, replace(STEP, checkpointing="matmuls", kept_layers=9, offload=True), 516),
        (2, replace(STEP, checkpointing="matmuls", kept_layers=15, offload=True, states_offloaded=True), 520),
    ],
)
def test_predictions_are_within_a_tenth_of_what_was_measured(ranks, step, measured):
    plan = plan_of([65536] * 4 * ranks, ranks)
    flops = train_flops(SHAPE, [65536] * 4, 4)
    assert flops / seconds(plan, step) / 1e12 == pytest.approx(measured, rel=0.1)


@pytest.mark.parametrize(
    (
        "strategy",
        "measured",
    ),  # bin/benchmark-gpu --cases 7b-longalign-packing 7b-longalign-balanced --steps 5, 2 x H200
    [("packing", [5.196, 9.878, 10.063]), ("balanced", [11.575, 10.121, 5.586])],
)
def test_each_step_takes_as_long_as_its_longest_packs(strategy, measured):
    lengths = np.array(all_lengths(replace(CASES[f"7b-longalign-{strategy}"], gpus=2), 5))
    options = {"max_length": 65536, "packs_per_step": 2, "world_size": 2, "cost": COST}
    plan = plan_batches(lengths, np.ones_like(lengths), strategy=strategy, **options)
    step = replace(STEP, ranks=2, checkpointing="matmuls", kept_layers=28, offload=True, states_offloaded=True)
    predicted = step_seconds(plan, COST, SHAPE, step, CARDS[0])
    assert predicted[2:5] == pytest.approx(measured, rel=0.1)
    assert predicted.sum() == pytest.approx(run_seconds(plan, COST, SHAPE, step, CARDS[0]))


def test_short_packs_take_as_long_as_the_host_needs_to_start_their_kernels():
    config = LlamaConfig(
        hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3
    )
    shape = model_shape(config)
    plan = plan_batches(
        np.full(140, 2000),
        np.ones(140),
        strategy="naive",
        max_length=65536,
        packs_per_step=14,
        cost=sequence_cost(shape),
    )
    predicted = run_seconds(plan, sequence_cost(shape), shape, StepMemory(layer_sizes(config, shape), 65536), CARDS[0])
    assert predicted / plan.num_steps == pytest.approx(3.26, rel=0.1)  # bin/reproduce --acts compare: naive, one H200


def test_ranks_wait_for_the_dearest_pack_of_each_micro_step():
    alone = seconds(plan_of([65536]))
    assert seconds(plan_of([65536, *[8192] * 8], 2)) == pytest.approx(alone, rel=0.02)
    assert seconds(plan_of([65536] * 2, 2)) == pytest.approx(alone, rel=0.02)
    assert seconds(plan_of([65536] * 4, 2)) == pytest.approx(2 * alone, rel=0.02)


def test_what_is_computed_twice_takes_longer_and_slower_cards_too():
    plan = plan_of([65536] * 2)
    none, attention, full = (seconds(plan, replace(STEP, checkpointing=mode)) for mode in ("none", "attention", "full"))
    assert none < seconds(plan, replace(STEP, kept_layers=16)) < attention < full
    assert seconds(plan, card=CARDS[2]) > 2 * attention


def test_short_packs_on_many_gpus_wait_for_their_links():
    tiny = plan_of([64] * 8, 8)
    slow = replace(CARDS[0], link=1e9)
    assert seconds(tiny, card=slow) == pytest.approx(8 * STEP.sizes.total_parameters * 7 / 8 / 1e9, rel=0.05)
