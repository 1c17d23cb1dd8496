"""Activation checkpointing of the decoder layers: what the backward keeps and what it computes again."""

from functools import partial
from typing import Any, Literal

import torch
from torch.utils.checkpoint import CheckpointPolicy, checkpoint, create_selective_checkpoint_contexts
from transformers import PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer

from longalign.model.offload import InputOffload

Checkpointing = Literal["none", "full", "attention"]


def _save_attention(ctx: Any, op: Any, *args: Any, **kwargs: Any) -> CheckpointPolicy:
    saved = op is torch.ops.longalign.varlen_attention.default
    return CheckpointPolicy.MUST_SAVE if saved else CheckpointPolicy.PREFER_RECOMPUTE


def _checkpoint_offloaded(offload: InputOffload, run: Any, *args: Any, **kwargs: Any) -> Any:
    with offload.hooks():
        return run(*args, **kwargs)


def apply_checkpointing(
    model: PreTrainedModel, mode: Checkpointing, kept_layers: int = 0, offload: bool = False
) -> None:
    """Set how the decoder layers save activations; the last ``kept_layers`` keep everything, whatever the mode.

    ``none`` keeps everything; ``full`` keeps a layer's input and computes the layer again; ``attention`` also keeps
    the attention output (T × width × 2 bytes a layer in bf16), so that the part whose cost grows with the square of
    the length runs once. ``offload`` keeps the layers' inputs in the host's memory until the backward asks for them.
    Works through transformers' own per-layer hook: parameter names stay as they are.
    """
    if mode == "none":
        return
    func: Any = partial(checkpoint, use_reentrant=False)
    if mode == "attention":
        func = partial(func, context_fn=partial(create_selective_checkpoint_contexts, _save_attention))
    if offload:
        func = partial(_checkpoint_offloaded, InputOffload(), func)
    model._set_gradient_checkpointing(True, gradient_checkpointing_func=func)
    layers = [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]
    for layer in layers[len(layers) - kept_layers :]:
        layer.gradient_checkpointing = False
