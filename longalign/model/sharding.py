"""A model prepared for packs: attention, fused kernels and checkpointing set, whole or as FSDP2 shards.

In: a config, and on rank 0 the whole model that `loading.py` has read. Out: the model to train.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard, register_fsdp_forward_method
from transformers import AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel

from longalign.errors import UserError
from longalign.model.attention import attention_name, register_attention
from longalign.model.checkpointing import Checkpointing, apply_checkpointing
from longalign.model.fused import fuse_layers
from longalign.model.gradient_memory import use_compute_stream
from longalign.model.packed import PACKED_METHODS, attach_packed_loss


def prepare_model(
    model: PreTrainedModel,
    attention: str,
    checkpointing: Checkpointing,
    *,
    kept_layers: int = 0,
    offload: bool = False,
    fused: bool = False,
) -> PreTrainedModel:
    """Switch a model to packed attention by ``attention`` (a backend's name), and set its activation checkpointing.

    Args:
        kept_layers, offload: see ``apply_checkpointing``.
        fused: use Liger's kernels for what stands between the matrix products.
    """
    register_attention()
    if fused:
        fuse_layers(model)
    model.set_attn_implementation(attention_name(attention))
    apply_checkpointing(model, checkpointing, kept_layers, offload)
    return attach_packed_loss(model)


def shard_model(
    config: PreTrainedConfig,
    weights: PreTrainedModel | None,
    mesh: DeviceMesh,
    device: torch.device,
    *,
    attention: str,
    checkpointing: Checkpointing,
    compute_dtype: torch.dtype,
    kept_layers: int = 0,
    offload: bool = False,
    fused: bool = False,
    random_weights: bool = False,
) -> PreTrainedModel:
    """The model as FSDP2 shards with fp32 master weights, filled by broadcast from rank 0.

    Args:
        weights: the whole model on rank 0 (its memory is that of one copy in the checkpoint's dtype), None elsewhere.
        mesh: one-dimensional; every decoder layer and the root shard over it.
        kept_layers, offload, fused: as of ``prepare_model``.
        random_weights: draw them on the device instead of loading any.
        compute_dtype: of the gathered parameters and the activations; gradients reduce in fp32.

    Raises:
        UserError: ``random_weights`` of a model with buffers that only a checkpoint can fill.
    """
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    prepare_model(model, attention, checkpointing, kept_layers=kept_layers, offload=offload, fused=fused)
    _split(model, mesh, compute_dtype)
    if random_weights and (name := next(_buffers_beside_weights(model), None)):
        raise UserError(f"model.random_weights: only a checkpoint can fill {model.config.model_type}'s {name}")
    model.to_empty(device=device)
    model.tie_weights()
    _rebuild_buffers(model, weights, device)
    if random_weights:
        _draw_weights(model)
    else:
        state = {} if weights is None else weights.state_dict()
        set_model_state_dict(model, state, options=StateDictOptions(full_state_dict=True, broadcast_from_rank0=True))
    use_compute_stream(model, list(decoder_layers(model)))
    if weights is not None:
        model.generation_config = weights.generation_config
    return model.train()


def _split(model: PreTrainedModel, mesh: DeviceMesh, compute_dtype: torch.dtype) -> None:
    """Make each decoder layer and the root FSDP2 modules, and the packed methods forwards that gather weights."""
    policy = MixedPrecisionPolicy(param_dtype=compute_dtype, reduce_dtype=torch.float32)
    for layer in decoder_layers(model):
        fully_shard(layer, mesh=mesh, mp_policy=policy)
    fully_shard(model, mesh=mesh, mp_policy=policy)
    for method in PACKED_METHODS:
        register_fsdp_forward_method(model, method.__name__)


class Gathering:
    """How long a sharded model's weights stay gathered in a training step.

    Only there: after a forward without a backward they would stay on, and checkpoints, which need shards, could be
    neither written nor read.

    Args:
        after_forward: each layer's from its forward to its backward.
        once: all of them from the first micro-step of a step to the last. Until then each rank adds up its own
            gradients in fp32; the last backward reduces them.
    """

    def __init__(self, model: PreTrainedModel, after_forward: bool, once: bool) -> None:
        self._model: Any = model
        self._once = once
        self._layers: list[Any] = list(decoder_layers(model)) if after_forward or once else []

    def begin(self, last_micro_step: bool) -> None:
        """Call before a micro-step. last_micro_step: of an optimizer step."""
        self._reshard_after_forward(False)
        if self._once:
            self._model.set_requires_gradient_sync(last_micro_step)
            self._model.set_reshard_after_backward(last_micro_step)

    def end(self) -> None:
        """Call after an optimizer step."""
        self._reshard_after_forward(True)

    def _reshard_after_forward(self, wanted: bool) -> None:
        for layer in self._layers:
            layer.set_reshard_after_forward(wanted, recurse=False)


@torch.no_grad()
def _draw_weights(model: PreTrainedModel) -> None:
    """Fill a sharded model in place: matrices normal, vectors one (of norms) or zero (biases)."""
    torch.manual_seed(0)
    _init_saved_buffers(model)
    std = getattr(model.config, "initializer_range", 0.02)
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:
            parameter.normal_(0.0, std)
        else:
            parameter.fill_(0.0 if name.endswith("bias") else 1.0)


def _init_saved_buffers(model: PreTrainedModel) -> None:
    """Set the buffers that a checkpoint would fill (such as the correction of a router's scores) as the model does."""
    for name, module in model.named_modules():
        names = module._buffers.keys() - module._non_persistent_buffers_set
        saved = {
            key: buffer for key in names if (buffer := module._buffers[key]) is not None and buffer.is_floating_point()
        }
        for buffer in saved.values():
            buffer.fill_(torch.nan)
        if saved:
            model._init_weights(module)
        if lacking := sorted(key for key, buffer in saved.items() if buffer.isnan().any()):
            key = f"{model.config.model_type}'s {name}.{lacking[0]}"
            raise UserError(f"model.random_weights: only a checkpoint can fill {key}")


def decoder_layers(model: PreTrainedModel) -> nn.ModuleList:
    """The model's repeated blocks: the longest ``ModuleList`` of its decoder."""
    lists = [module for module in model.base_model.modules() if isinstance(module, nn.ModuleList)]
    return max(lists, key=lambda layers: sum(p.numel() for p in layers.parameters()))


def _buffers_beside_weights(model: PreTrainedModel) -> Iterator[str]:
    """Names of buffers that are in no checkpoint, and that `_rebuild_buffers` could not make without one."""
    for name, module in model.named_modules():
        if next(module.parameters(), None) is not None:
            yield from (f"{name}.{key}" for key in sorted(module._non_persistent_buffers_set))


def _rebuild_buffers(model: PreTrainedModel, weights: PreTrainedModel | None, device: torch.device) -> None:
    """Fill the buffers that are in no checkpoint and are empty after meta-init, such as rotary frequencies.

    Modules without parameters are made anew from the config. Buffers of other modules (such as the scale of Gemma's
    embedding) are sent by rank 0, which has them from the whole model.
    """
    whole = {} if weights is None else dict(weights.named_buffers())
    for name, module in list(model.named_modules()):
        if module._non_persistent_buffers_set and next(module.parameters(), None) is None:
            model.set_submodule(name, type(module)(config=model.config).to(device))  # type: ignore[call-arg]
            continue
        for key in sorted(module._non_persistent_buffers_set):
            buffer = getattr(module, key)
            if whole:
                buffer.copy_(whole[f"{name}.{key}"])
            torch.distributed.broadcast(buffer, src=0)
