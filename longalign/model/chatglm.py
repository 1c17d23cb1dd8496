"""ChatGLM2/3's config and weights in terms of transformers' GLM, and back: pure maps, without files.

The two are the same architecture under other names; query, key and value are one matrix in ChatGLM and three in GLM.
Rotary angles are of GLM's kind (interleaved, half of each head) in both, so that no rows are permuted.
"""

import logging
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, GlmConfig, PreTrainedConfig

from longalign.counted import counted
from longalign.errors import UserError

log = logging.getLogger(__name__)

ROPE_BASE = 10000.0  # ChatGLM's, which rope_ratio multiplies
INV_FREQ = "transformer.rotary_pos_emb.inv_freq"  # in its checkpoints, never used: the angles are made from the config

SHAPE_KEYS = {  # ChatGLM -> GLM
    "padded_vocab_size": "vocab_size",
    "hidden_size": "hidden_size",
    "ffn_hidden_size": "intermediate_size",
    "num_layers": "num_hidden_layers",
    "num_attention_heads": "num_attention_heads",
    "kv_channels": "head_dim",
    "layernorm_epsilon": "rms_norm_eps",
    "seq_length": "max_position_embeddings",
}

FIXED = {  # what GLM always does: another value cannot be expressed
    "add_bias_linear": False,
    "apply_residual_connection_post_layernorm": False,
    "fp32_residual_connection": False,
    "hidden_dropout": 0.0,
    "interleaved_qkv": False,
    "original_rope": True,
    "post_layer_norm": True,
    "pre_seq_len": None,
    "quantization_bit": 0,
    "quantization_config": None,
    "rmsnorm": True,
}

ASSUMED_RATIO_UP_TO = 8192  # tokens: ChatGLM3-6B's seq_length


def is_chatglm(config: Mapping[str, Any]) -> bool:
    """Whether a config.json is in the format of ChatGLM's own code."""
    return config.get("model_type") == "chatglm"


def glm_config(chatglm: Mapping[str, Any], rope_ratio: float | None = None) -> GlmConfig:
    """The GLM config of a ChatGLM2/3 config; ``rope_ratio`` (rotary base / 10000) goes before the config's own.

    Raises:
        UserError: naming the key that GLM cannot express, that is missing, or ``rope_ratio`` where it is not known.
    """
    for key, value in FIXED.items():
        unset = chatglm.get(key, value) is None and not value
        if not unset and chatglm.get(key, value) != value:
            raise UserError(
                f"config.json: {key} is {chatglm[key]}, which transformers' GLM cannot express, only {value}"
            )
    if missing := [key for key in SHAPE_KEYS if key not in chatglm]:
        raise UserError(
            f"config.json lacks {', '.join(missing)}: it is not ChatGLM2's or ChatGLM3's (ChatGLM-6B of the first "
            "generation is another architecture)"
        )
    ratio = _known_ratio(chatglm) if rope_ratio is None else rope_ratio
    _check_number("rope_ratio", ratio, (int, float))
    for key in SHAPE_KEYS:
        _check_number(key, chatglm[key], (int, float) if key == "layernorm_epsilon" else (int,))
    shared = chatglm.get("multi_query_attention", False)
    if shared:
        _check_number("multi_query_group_num", chatglm.get("multi_query_group_num"), (int,))
    try:
        return _make_config(chatglm, float(ratio), shared)
    except Exception as error:  # transformers checks the other values, each in its own way
        raise UserError(f"config.json: {' '.join(str(error).split())[:200]}") from error


def _check_number(key: str, value: Any, kinds: tuple[type, ...]) -> None:
    number = cast(float, value) if isinstance(value, kinds) and not isinstance(value, bool) else 0.0
    if not (math.isfinite(number) and number > 0):
        raise UserError(f"{key} is {value!r}, expected a number above 0")


def _make_config(chatglm: Mapping[str, Any], ratio: float, shared: bool) -> GlmConfig:
    return GlmConfig(
        **{glm: chatglm[key] for key, glm in SHAPE_KEYS.items()},
        num_key_value_heads=chatglm["multi_query_group_num"] if shared else chatglm["num_attention_heads"],
        attention_bias=chatglm.get("add_qkv_bias", False),
        attention_dropout=chatglm.get("attention_dropout", 0.0),
        hidden_act="silu",
        tie_word_embeddings=False,
        rope_parameters={
            "rope_type": "default",
            "rope_theta": ROPE_BASE * ratio,
            "partial_rotary_factor": 0.5,
        },
        eos_token_id=chatglm.get("eos_token_id", 2),
        bos_token_id=None,
        pad_token_id=None,  # an embedding row at padding_idx would get no gradient
        dtype=chatglm.get("torch_dtype"),
        architectures=["GlmForCausalLM"],
    )


def _known_ratio(chatglm: Mapping[str, Any]) -> float:
    if "rope_ratio" in chatglm:
        return chatglm["rope_ratio"]
    _check_number("seq_length", chatglm["seq_length"], (int,))
    if chatglm["seq_length"] > ASSUMED_RATIO_UP_TO:
        raise UserError(
            f"config.json has no rope_ratio and is for {chatglm['seq_length']} tokens: give rope_ratio, which is 200 "
            "for LongAlign-6B-64k and its base (their own code hard-codes it), 1 for ChatGLM2-6B "
            "(--rope_ratio of convert, --model.config_overrides.rope_ratio of fit)"
        )
    log.info(  # on rank 0 alone
        "config.json has no rope_ratio: taken as 1, which ChatGLM3-6B's code assumes; LongAlign-6B's own code "
        "hard-codes 200: for such weights give --rope_ratio 200 (fit: --model.config_overrides.rope_ratio 200)"
    )
    return 1.0


def rope_theta(glm: PreTrainedConfig) -> float:
    """Base of the rotary angles."""
    return float(cast(dict[str, Any], glm.rope_parameters)["rope_theta"])


def chatglm_config(glm: GlmConfig, original: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The ChatGLM config of a GLM config; keys that GLM does not know are those of ``original`` (ChatGLM3-6B's).

    Raises:
        UserError: naming what ChatGLM cannot express.
    """
    rope = cast(dict[str, Any], glm.rope_parameters)
    fixed = {
        "model_type": (glm.model_type, "glm"),
        "hidden_act": (glm.hidden_act, "silu"),
        "tie_word_embeddings": (glm.tie_word_embeddings, False),
        "rope_parameters.rope_type": (rope.get("rope_type", "default"), "default"),
        "rope_parameters.partial_rotary_factor": (rope.get("partial_rotary_factor", 0.5), 0.5),
    }
    for key, (value, only) in fixed.items():
        if value != only:
            raise UserError(f"config.json: {key} is {value}, which ChatGLM cannot express, only {only}")
    config = dict(original or _ORIGINAL)
    config |= {key: getattr(glm, name) for key, name in SHAPE_KEYS.items()}
    if config.get("multi_query_attention", True) or glm.num_key_value_heads != glm.num_attention_heads:
        config |= {"multi_query_attention": True, "multi_query_group_num": glm.num_key_value_heads}
    config |= {"add_qkv_bias": glm.attention_bias, "attention_dropout": glm.attention_dropout}
    ratio = rope_theta(glm) / ROPE_BASE
    if ratio != 1 or "rope_ratio" in config:
        config["rope_ratio"] = int(ratio) if ratio == int(ratio) else ratio
    return config


_ORIGINAL = {  # what ChatGLM3-6B's config.json says beside the shape
    "model_type": "chatglm",
    "architectures": ["ChatGLMModel"],
    "auto_map": {
        "AutoConfig": "configuration_chatglm.ChatGLMConfig",
        "AutoModel": "modeling_chatglm.ChatGLMForConditionalGeneration",
        "AutoModelForCausalLM": "modeling_chatglm.ChatGLMForConditionalGeneration",
        "AutoModelForSeq2SeqLM": "modeling_chatglm.ChatGLMForConditionalGeneration",
        "AutoModelForSequenceClassification": "modeling_chatglm.ChatGLMForSequenceClassification",
    },
    **{
        key: value
        for key, value in FIXED.items()
        if key not in ("pre_seq_len", "quantization_bit", "quantization_config")
    },
    "apply_query_key_layer_scaling": True,
    "attention_softmax_in_fp32": True,
    "bias_dropout_fusion": True,
    "use_cache": True,
    "tie_word_embeddings": False,
    "eos_token_id": 2,
    "pad_token_id": 0,
}


def name_table(config: GlmConfig) -> dict[str, tuple[str, ...]]:
    """Every ChatGLM weight and the GLM weight it is; the three whose rows it holds for ``query_key_value``."""
    table: dict[str, tuple[str, ...]] = {
        "transformer.embedding.word_embeddings.weight": ("model.embed_tokens.weight",),
        "transformer.encoder.final_layernorm.weight": ("model.norm.weight",),
        "transformer.output_layer.weight": ("lm_head.weight",),
    }
    for n in range(config.num_hidden_layers):
        theirs, ours = f"transformer.encoder.layers.{n}", f"model.layers.{n}"
        for kind in ("weight", "bias") if config.attention_bias else ("weight",):
            projections = tuple(f"{ours}.self_attn.{x}_proj.{kind}" for x in "qkv")
            table[f"{theirs}.self_attention.query_key_value.{kind}"] = projections
        table |= {
            f"{theirs}.input_layernorm.weight": (f"{ours}.input_layernorm.weight",),
            f"{theirs}.self_attention.dense.weight": (f"{ours}.self_attn.o_proj.weight",),
            f"{theirs}.post_attention_layernorm.weight": (f"{ours}.post_attention_layernorm.weight",),
            f"{theirs}.mlp.dense_h_to_4h.weight": (f"{ours}.mlp.gate_up_proj.weight",),  # gate first in both
            f"{theirs}.mlp.dense_4h_to_h.weight": (f"{ours}.mlp.down_proj.weight",),
        }
    return table


def glm_shapes(config: GlmConfig) -> dict[str, torch.Size]:
    """Shape of every GLM weight, from a model on the meta device."""
    with torch.device("meta"):
        return {name: value.shape for name, value in AutoModelForCausalLM.from_config(config).state_dict().items()}


def heads_interleaved(chatglm: Mapping[str, Any]) -> bool:
    """Whether rows of ``query_key_value`` go head by head (q, k, v of the first head, …) and not q, k, v in blocks.

    ChatGLM's code reads them so without multi-query attention.
    """
    return not chatglm.get("multi_query_attention", False)


def to_glm(
    tensors: Iterable[tuple[str, Tensor]], config: GlmConfig, *, interleaved: bool = False
) -> Iterator[tuple[str, Tensor]]:
    """ChatGLM's weights as GLM's, one after the other, each once; ``interleaved``: by ``heads_interleaved``.

    Raises:
        UserError: a weight that ChatGLM does not have, that is misshapen, or (at the end) that did not come.
    """
    table, shapes = name_table(config), glm_shapes(config)
    for name, tensor in tensors:
        if name == INV_FREQ:
            continue
        targets = table.pop(name, None)
        if targets is None:
            raise UserError(f"{name} {list(tensor.shape)} is no weight of ChatGLM3, or comes twice")
        rows = [shapes[target][0] for target in targets]
        _check_shape(name, tensor, torch.Size([sum(rows), *shapes[targets[0]][1:]]))
        if interleaved and len(rows) == 3:
            by_head = tensor.unflatten(0, (config.num_attention_heads, 3, -1))
            yield from zip(targets, (part.flatten(0, 1) for part in by_head.unbind(1)), strict=True)
        else:
            yield from zip(targets, tensor.split(rows), strict=True)
    _check_complete(table)


def to_chatglm(
    tensors: Iterable[tuple[str, Tensor]], config: GlmConfig, *, interleaved: bool = False
) -> Iterator[tuple[str, Tensor]]:
    """GLM's weights as ChatGLM's: the inverse of ``to_glm``. A layer's q, k and v are held until all three are there.

    Raises:
        UserError: as ``to_glm``.
    """
    table, shapes = name_table(config), glm_shapes(config)
    wholes = {part: whole for whole, parts in table.items() for part in parts}
    arrived: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors:
        whole = wholes.pop(name, None)
        if whole is None:
            raise UserError(f"{name} {list(tensor.shape)} is no weight of GLM, or comes twice")
        _check_shape(name, tensor, shapes[name])
        parts = arrived.setdefault(whole, {})
        parts[name] = tensor
        if len(parts) == len(table[whole]):
            del arrived[whole]
            ordered = [parts[part] for part in table[whole]]
            yield whole, _joined(ordered, config.num_attention_heads if interleaved else None)
    _check_complete(wholes)


def _joined(parts: list[Tensor], heads: int | None) -> Tensor:
    if len(parts) == 1:
        return parts[0]
    if heads is None:
        return torch.cat(parts)
    return torch.stack([part.unflatten(0, (heads, -1)) for part in parts], dim=1).flatten(0, 2)


def _check_shape(name: str, tensor: Tensor, expected: torch.Size) -> None:
    if tensor.shape != expected:
        raise UserError(f"{name} has shape {list(tensor.shape)}, the config makes {list(expected)}")


def _check_complete(left: Mapping[str, Any]) -> None:
    if left:
        raise UserError(f"the checkpoint lacks {counted(len(left), 'weight')}, the first is {next(iter(left))}")
