"""What a sequence costs: model FLOPs from the config alone, and the time model behind the balanced plan."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from transformers import AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel

from longalign.data.plan import ATTENTION_FLOPS_PER_S, GEMM_FLOPS_PER_S, SequenceCost
from longalign.errors import UserError
from longalign.model.checkpointing import Checkpointing

EXPERTS = ("num_local_experts", "num_experts", "moe_num_experts")  # config keys; transformers maps others to these
EXPERTS_OF_A_TOKEN = ("num_experts_per_tok", "top_k_experts", "moe_topk")


@dataclass(frozen=True)
class ModelShape:
    """What decides a model's FLOPs.

    linear: parameters of the layers' matrices, of which a token visits each once (of experts, those that it is sent
    to). lm_head: parameters of the output layer. total: all parameters. attention_width: Σ over layers of heads × head
    size (the mean of queries' and values').
    """

    linear: int
    lm_head: int
    total: int
    attention_width: int


def model_shape(config: PreTrainedConfig) -> ModelShape:
    """The shape of a config's model, counted on the meta device: no weight is made.

    Raises:
        UserError: transformers makes no model of this config.
    """
    model = _meta_model(config)
    lm_head = model.get_output_embeddings()
    linear = sum(m.weight.numel() for m in model.modules() if isinstance(m, nn.Linear) and m is not lm_head)
    experts, visited = (_mean_of(config, keys) for keys in (EXPERTS, EXPERTS_OF_A_TOKEN))
    if experts:
        linear += int(sum(p.numel() for p in model.parameters() if p.ndim == 3) * visited / experts)
    heads = config.num_hidden_layers * config.num_attention_heads
    return ModelShape(
        linear=linear,
        lm_head=lm_head.weight.numel(),
        total=sum(p.numel() for p in model.parameters()),
        attention_width=int(heads * _head_size(config)),
    )


def _meta_model(config: PreTrainedConfig) -> PreTrainedModel:
    """A config's model on the meta device: no weight is made.

    Raises:
        UserError: transformers makes no model of this config.
    """
    try:
        with torch.device("meta"):
            return AutoModelForCausalLM.from_config(config)
    except Exception as error:  # of a config that lacks a key or has a wrong one, each model makes another error
        why = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(
            f"model.model: transformers makes no {config.model_type} of this config.json ({why}); "
            "compare its keys with those of a published one"
        ) from error


def _mean_of(config: PreTrainedConfig, keys: Sequence[str]) -> float:
    """The first of some keys that a config has; of a list with a number for each layer (HunYuan) the mean."""
    found = (getattr(config, key, None) for key in keys)
    return float(np.mean(next((value for value in found if value is not None), 0)))


def _head_size(config: PreTrainedConfig) -> float:
    """Of a head; where its values have another size than its queries (DeepSeek, MiniCPM3), the mean of the two."""
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    value = getattr(config, "v_head_dim", None)
    return size if value is None else ((getattr(config, "qk_head_dim", None) or size) + value) / 2


def forward_flops(shape: ModelShape, lengths: Sequence[int] | np.ndarray) -> float:
    """Model FLOPs of the layers' forward on sequences of these lengths.

    2 FLOPs a parameter and token, and 2·width·L² of causal attention a sequence: scores and values, half of each
    masked.
    """
    lengths = np.asarray(lengths, dtype=np.float64)
    return 2.0 * shape.linear * lengths.sum() + 2.0 * shape.attention_width * (lengths**2).sum()


def train_flops(shape: ModelShape, lengths: Sequence[int] | np.ndarray, num_targets: int) -> float:
    """Model FLOPs of training on sequences of these lengths: forward and backward, recomputation not counted.

    The backward costs twice the forward. The lm_head counts where it runs: on the targets.
    """
    return 3.0 * (forward_flops(shape, lengths) + 2.0 * shape.lm_head * num_targets)


def sequence_cost(shape: ModelShape, checkpointing: Checkpointing = "attention") -> SequenceCost:
    """Seconds of forward, backward and recompute of a sequence of L tokens on an H200: ``linear·L + quadratic·L²``."""
    linear_passes = 3 if checkpointing == "none" else 4  # forward, twice that for the backward, recompute
    # forward 1, backward 2.5 (its kernel computes the scores again), and the forward again under full checkpointing
    attention_passes = 4.5 if checkpointing == "full" else 3.5
    return SequenceCost(
        linear=linear_passes * 2 * shape.linear / GEMM_FLOPS_PER_S,
        quadratic=attention_passes * 2 * shape.attention_width / ATTENTION_FLOPS_PER_S,
    )
