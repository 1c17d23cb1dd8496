"""ChatGLM's configs and weights as GLM's: the full-size model name by name, and what cannot be expressed."""

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from longalign.errors import UserError
from longalign.model.chatglm import (
    INV_FREQ,
    chatglm_config,
    glm_config,
    glm_shapes,
    heads_interleaved,
    name_table,
    to_chatglm,
    to_glm,
)
from longalign.model.flops import model_shape
from tests.model.golden_numbers import GOLDEN

TINY = json.loads((GOLDEN / "chatglm3_tiny/config.json").read_text())
CHATGLM3_6B = TINY | {  # its config.json
    "ffn_hidden_size": 13696,
    "hidden_size": 4096,
    "kv_channels": 128,
    "num_attention_heads": 32,
    "num_layers": 28,
    "padded_vocab_size": 65024,
    "seq_length": 8192,
}
LAYER = {
    "input_layernorm.weight": (4096,),
    "self_attention.query_key_value.weight": (4608, 4096),
    "self_attention.query_key_value.bias": (4608,),
    "self_attention.dense.weight": (4096, 4096),
    "post_attention_layernorm.weight": (4096,),
    "mlp.dense_h_to_4h.weight": (27392, 4096),
    "mlp.dense_4h_to_h.weight": (4096, 13696),
}


def chatglm3_6b_on_meta():
    """Every tensor of ChatGLM3-6B's checkpoint: 6,243,584,000 parameters and the rotary table."""
    shapes = {
        "transformer.embedding.word_embeddings.weight": (65024, 4096),
        INV_FREQ: (32,),
        **{f"transformer.encoder.layers.{n}.{name}": shape for n in range(28) for name, shape in LAYER.items()},
        "transformer.encoder.final_layernorm.weight": (4096,),
        "transformer.output_layer.weight": (65024, 4096),
    }
    return {name: torch.empty(shape, dtype=torch.float16, device="meta") for name, shape in shapes.items()}


def test_every_weight_of_chatglm3_6b_is_a_weight_of_glm_and_back():
    theirs = chatglm3_6b_on_meta()
    config = glm_config(CHATGLM3_6B)
    ours = dict(to_glm(theirs.items(), config))
    assert {name: tensor.shape for name, tensor in ours.items()} == glm_shapes(config)
    assert sum(tensor.numel() for tensor in ours.values()) == 6_243_584_000
    assert sum(tensor.numel() for name, tensor in theirs.items() if name != INV_FREQ) == 6_243_584_000
    back = dict(to_chatglm(ours.items(), config))
    assert {name: t.shape for name, t in back.items()} == {n: t.shape for n, t in theirs.items() if n != INV_FREQ}
    assert model_shape(config).total == 6_243_584_000


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shared", [True, False])
@settings(deadline=None, max_examples=8)
@given(order=st.randoms(use_true_random=False))
def test_weights_in_any_order_go_there_and_back(bias, shared, order):
    config = glm_config(TINY | {"add_qkv_bias": bias, "multi_query_attention": shared, "num_layers": 1})
    shapes = glm_shapes(config)
    assert shapes["model.layers.0.self_attn.k_proj.weight"][0] == (32 if shared else 64)
    ours = [(name, torch.arange(shape.numel()).view(shape)) for name, shape in shapes.items()]
    order.shuffle(ours)
    theirs = list(to_chatglm(ours, config))
    order.shuffle(theirs)
    assert {name for name, _ in theirs} == set(name_table(config))
    back = dict(to_glm(theirs, config))
    assert all(torch.equal(back[name], tensor) for name, tensor in ours)
    query_key_value = dict(theirs)["transformer.encoder.layers.0.self_attention.query_key_value.weight"]
    parts = [dict(ours)[f"model.layers.0.self_attn.{x}_proj.weight"] for x in "qkv"]
    assert torch.equal(query_key_value, torch.cat(parts))


@pytest.mark.parametrize("config", [TINY, TINY | {"rope_ratio": 50}, CHATGLM3_6B | {"torch_dtype": "float16"}])
def test_a_config_that_comes_back_is_what_it_was(config):
    assert chatglm_config(glm_config(config), config) == config


def test_without_multi_query_attention_rows_go_head_by_head():
    """As ChatGLM's code reads them: view(heads, 3 * size), then split in three."""
    config = glm_config(TINY | {"multi_query_attention": False, "num_layers": 1, "add_qkv_bias": False})
    name = "transformer.encoder.layers.0.self_attention.query_key_value.weight"
    theirs = {key: torch.zeros(1) for key in name_table(config)}
    shapes = glm_shapes(config)
    for key, parts in name_table(config).items():
        theirs[key] = torch.randn(sum(shapes[part][0] for part in parts), *shapes[parts[0]][1:])
    ours = dict(to_glm(theirs.items(), config, interleaved=True))
    x = torch.randn(5, 64)
    mixed = (x @ theirs[name].T).view(5, 4, 3 * 16)
    for letter, expected in zip("qkv", mixed.split(16, dim=-1), strict=True):
        torch.testing.assert_close(
            (x @ ours[f"model.layers.0.self_attn.{letter}_proj.weight"].T).view(5, 4, 16), expected
        )
    back = dict(to_chatglm(ours.items(), config, interleaved=True))
    assert all(torch.equal(back[key], tensor) for key, tensor in theirs.items())
    assert heads_interleaved({"multi_query_attention": False}) and not heads_interleaved(TINY)
    assert chatglm_config(config)["multi_query_attention"]  # without its origin a config of ours says blocks


def test_the_ratio_that_was_given_is_in_the_config_that_comes_back():
    assert chatglm_config(glm_config(TINY, 200), TINY) == TINY | {"rope_ratio": 200}


def test_a_config_without_its_origin_is_chatglm3s():
    config = chatglm_config(glm_config(TINY | {"rope_ratio": 2.5}))
    assert glm_config(config).to_dict() == glm_config(TINY | {"rope_ratio": 2.5}).to_dict() | {"dtype": None}


def test_rope_ratio_is_the_options_then_the_configs_then_chatglm3s_and_never_a_guess(caplog):
    def base(config, ratio=None):
        return glm_config(config, ratio).rope_parameters["rope_theta"]

    caplog.set_level("INFO")
    assert base(TINY, 200) == 2_000_000
    assert base(TINY | {"rope_ratio": 50}) == 500_000
    assert base(TINY | {"rope_ratio": 50}, 200) == 2_000_000
    assert not caplog.records
    assert base(CHATGLM3_6B) == 10_000
    assert "LongAlign-6B's own code hard-codes 200" in caplog.text
    with pytest.raises(UserError, match=r"no rope_ratio and is for 65536 tokens.* 200 for LongAlign-6B"):
        base(TINY | {"seq_length": 65536})
    with pytest.raises(UserError, match="rope_ratio is 0, expected"):
        base(TINY, 0)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("add_bias_linear", True),
        ("apply_residual_connection_post_layernorm", True),
        ("rmsnorm", False),
        ("post_layer_norm", False),
        ("pre_seq_len", 128),
        ("fp32_residual_connection", True),
        ("quantization_bit", 4),
    ],
)
def test_what_glm_cannot_express_is_refused_by_key(key, value):
    with pytest.raises(UserError, match=f"{key} is {value}"):
        glm_config(TINY | {key: value})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rope_ratio", None),
        ("rope_ratio", "abc"),
        ("rope_ratio", float("nan")),
        ("multi_query_group_num", 0),
        ("seq_length", None),
        ("kv_channels", None),
        ("num_layers", 3.0),
        ("layernorm_epsilon", "1e-5"),
        ("rmsnorm", None),
        ("torch_dtype", "float17"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_in_one_line(key, value):
    with pytest.raises(UserError, match=key if key != "torch_dtype" else "float17"):
        glm_config(TINY | {key: value})


def test_what_chatglm_cannot_express_is_refused_by_key():
    config = glm_config(TINY)
    config.rope_parameters["partial_rotary_factor"] = 1.0
    with pytest.raises(UserError, match=r"partial_rotary_factor is 1\.0"):
        chatglm_config(config)


def test_another_generation_is_refused():
    with pytest.raises(UserError, match="lacks ffn_hidden_size"):
        glm_config({key: value for key, value in TINY.items() if key != "ffn_hidden_size"})


@pytest.mark.parametrize("direction", [to_glm, to_chatglm])
def test_weights_that_do_not_fit_are_named(direction):
    config = glm_config(TINY)
    name = "transformer.output_layer.weight" if direction is to_glm else "lm_head.weight"
    right = [(name, torch.zeros(512, 64))]
    with pytest.raises(UserError, match=r"lacks .* weights, the first is"):
        list(direction(right, config))
    with pytest.raises(UserError, match=f"{name} .* comes twice"):
        list(direction(right * 2, config))
    with pytest.raises(UserError, match=rf"{name} has shape \[3, 64\], the config makes \[512, 64\]"):
        list(direction([(name, torch.zeros(3, 64))], config))
    with pytest.raises(UserError, match=r"transformer\.prefix_encoder\.x .* is no weight"):
        list(direction([("transformer.prefix_encoder.x", torch.zeros(1))], config))
