"""The memory model against what was measured, and what it makes of a GPU."""

from dataclasses import replace

import pytest
import torch
from transformers import GlmConfig, LlamaConfig

from longalign.errors import UserError
from longalign.model.flops import model_shape
from longalign.model.memory import (
    EIGHT_BIT_STATE,
    GIB,
    StepMemory,
    choose_checkpointing,
    layer_sizes,
    optimizer_state_bytes,
)


def llama(layers):
    config = LlamaConfig(intermediate_size=11008, num_hidden_layers=layers)
    return layer_sizes(config, model_shape(config))


def glm(layers):
    config = GlmConfig(vocab_size=65024, num_hidden_layers=layers, num_key_value_heads=2, pad_token_id=None)
    return layer_sizes(config, model_shape(config))


MEASURED = [  # on an H200 with packs of 65,536 tokens: torch.cuda.max_memory_allocated, GiB
    (StepMemory(llama(4), 65536, state_bytes=0, checkpointing="none"), 39.3),
    (StepMemory(llama(4), 65536, state_bytes=0, checkpointing="attention"), 18.7),
    (StepMemory(llama(4), 65536, state_bytes=0, checkpointing="full"), 18.2),
    (StepMemory(glm(4), 65536, state_bytes=0, checkpointing="attention"), 22.6),
    # longalign fit, Llama-2-7B
    (StepMemory(llama(32), 65536, state_bytes=EIGHT_BIT_STATE, kept_layers=7), 122.5),
    (StepMemory(llama(32), 65536, ranks=2, kept_layers=7), 122.6),
]


@pytest.mark.parametrize(("step", "measured"), MEASURED)
def test_predictions_are_within_a_tenth_of_what_was_measured(step, measured):
    assert step.estimate().gib()["peak"] == pytest.approx(measured, rel=0.1)


def test_sizes_are_those_of_the_model():
    sizes = llama(32)
    assert sizes.total_parameters == 6_738_415_616
    assert (sizes.hidden, sizes.query, sizes.key_value, sizes.intermediate) == (4096, 4096, 4096, 11008)
    assert glm(28).key_value == 256
    config = LlamaConfig(num_hidden_layers=2, tie_word_embeddings=True)
    assert layer_sizes(config, model_shape(config)).total_parameters == model_shape(config).total


def test_a_gpu_is_filled_but_never_over():
    step = StepMemory(llama(32), 65536, ranks=8)
    kept = [choose_checkpointing(step, int(gib * GIB)).kept_layers for gib in (60, 79, 95, 140, 400)]
    assert kept == sorted(kept) and kept[0] < kept[-1] == 32
    for gib in (60, 79, 95, 140):
        assert choose_checkpointing(step, int(gib * GIB)).estimate().peak < gib * GIB


def test_more_ranks_need_less_and_micro_steps_more():
    step = StepMemory(llama(32), 65536)
    assert replace(step, ranks=8).estimate().peak < replace(step, ranks=2).estimate().peak < step.estimate().peak
    assert replace(step, micro_steps=4).estimate().gradients > step.estimate().gradients


def test_what_cannot_fit_says_what_would():
    step = StepMemory(llama(32), 65536)
    with pytest.raises(UserError, match=r"65,536 tokens needs \d+ GiB a GPU, there are 73: use 2 GPUs"):
        choose_checkpointing(step, int(79.2 * GIB))
    with pytest.raises(UserError, match="AdamW8bit"):
        choose_checkpointing(step, int(110 * GIB))
    with pytest.raises(UserError, match=r"use more GPUs and --data\.max_length"):
        choose_checkpointing(replace(step, ranks=8), int(16 * GIB))


def test_optimizer_state_is_measured_or_known_by_name():
    assert optimizer_state_bytes(torch.optim.AdamW) == 8
    assert optimizer_state_bytes(lambda p: torch.optim.SGD(p, lr=1.0)) == 0
    assert optimizer_state_bytes(lambda p: torch.optim.SGD(p, lr=1.0, momentum=0.9)) == 4

    class AdamW8bit(torch.optim.SGD):
        pass

    assert optimizer_state_bytes(lambda p: AdamW8bit(p, lr=1.0)) == pytest.approx(2, rel=0.1)
