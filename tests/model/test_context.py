"""Another rotary base or scaling: what the config then holds, and what the model then computes."""

import logging

import pytest
import torch
import transformers
from transformers import LlamaConfig, LlamaForCausalLM, Phi3Config

from longalign.errors import UserError
from longalign.model.context import extend_rope
from longalign.model.loading import join_overrides, load_config
from tests.training.conftest import TINY


def config(**rope):
    return LlamaConfig(
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=1,
        num_attention_heads=4,
        vocab_size=64,
        max_position_embeddings=128,
        rope_parameters={"rope_type": "default", "rope_theta": 1e4} | rope,
    )


def frequencies(config) -> torch.Tensor:
    return LlamaForCausalLM(config).model.rotary_emb.inv_freq


def test_the_base_decides_the_frequencies():
    extended = config()
    extend_rope(extended, 2e6, None)
    size = 8  # of a head
    assert torch.allclose(frequencies(extended), 2e6 ** -(torch.arange(0, size, 2) / size))
    assert extended.to_dict()["rope_parameters"] == {"rope_type": "default", "rope_theta": 2e6}


def test_yarn_knows_the_length_of_before():
    extended = load_config(
        TINY, {"rope_scaling": {"rope_type": "yarn", "factor": 8.0}, "max_position_embeddings": 8 * 1024}
    )
    before = load_config(TINY)
    rope = extended.rope_parameters
    assert rope["original_max_position_embeddings"] == before.max_position_embeddings
    assert rope["rope_theta"] == before.rope_parameters["rope_theta"] and extended.max_position_embeddings == 8192
    slow = LlamaForCausalLM(extended).model.rotary_emb
    assert torch.allclose(slow.inv_freq[-1] * 8, LlamaForCausalLM(before).model.rotary_emb.inv_freq[-1])


def test_another_scaling_replaces_the_models_own():
    extended = config(rope_type="linear", factor=2.0)
    extend_rope(extended, 5e5, {"rope_type": "default"})
    assert extended.rope_parameters == {"rope_type": "default", "rope_theta": 5e5}


@pytest.mark.parametrize(
    ("scaling", "expected"),
    [
        ({"factor": 8}, "expected rope_type"),
        ({"rope_type": "spiral"}, "model.rope_scaling.rope_type: got spiral, expected default, linear, llama3, "),
        ({"rope_type": "yarn"}, "Missing required keys"),
        ({"rope_type": "linear", "factor": "much"}, "factor"),
        ({"rope_type": "yarn", "factor": 8.0, "farctor": 2}, "farctor"),
        ({"rope_type": "dynamic", "factor": 2.0}, "depends on the longest sequence"),
    ],
)
def test_a_wrong_scaling_is_refused_in_one_line(scaling, expected):
    with pytest.raises(UserError) as caught:
        load_config(TINY, {"rope_scaling": scaling})
    assert expected in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("scaling", "expected"),
    [
        ({"rope_type": "spiral"}, "spiral"),
        (
            {"rope_type": "longrope", "short_factor": [1.0] * 4, "long_factor": [2.0] * 4}
            | {"original_max_position_embeddings": 64},
            "set the `factor` field",
        ),
    ],
)
def test_what_the_process_logs_decides_nothing(monkeypatch, scaling, expected):
    monkeypatch.setattr(logging.root.manager, "disable", logging.CRITICAL)
    verbosity = transformers.logging.get_verbosity()
    try:
        for level in (transformers.logging.ERROR, transformers.logging.DEBUG):
            transformers.logging.set_verbosity(level)
            with pytest.raises(UserError, match=expected):
                extend_rope(config(), None, scaling)
    finally:
        transformers.logging.set_verbosity(verbosity)


def test_a_scaling_that_the_models_own_config_refuses_is_named_by_its_key():
    with pytest.raises(UserError, match=r"model.rope_scaling: .*got yarn"):
        extend_rope(Phi3Config(), None, {"rope_type": "yarn", "factor": 4.0})


def test_a_key_is_given_once_and_positive():
    with pytest.raises(UserError, match=r"model.rope_theta: it is in model.config_overrides, too"):
        join_overrides({"rope_theta": 2e6}, {"rope_theta": 1e4})
    with pytest.raises(UserError, match=r"model.max_position_embeddings: got -1"):
        join_overrides({"max_position_embeddings": -1}, {})
    assert join_overrides({"rope_theta": None, "rope_scaling": None}, {"vocab_size": 3}) == {"vocab_size": 3}
