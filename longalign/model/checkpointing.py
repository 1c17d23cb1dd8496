"""Activation checkpointing of the decoder layers: what the backward keeps and what it computes again."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import CheckpointPolicy, checkpoint, create_selective_checkpoint_contexts
from transformers import PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer

from longalign.model.attention import ATTENTION
from longalign.model.offload import ActivationOffload

Checkpointing = Literal["none", "full", "attention", "matmuls"]

COMPUTED_AGAIN = ("q_proj", "k_proj", "down_proj")
"""Projections whose output is not saved: Liger's rotary embedding overwrites that of the first two, and no backward
reads that of the last."""

MATMULS = (torch.ops.aten.mm.default, torch.ops.aten.addmm.default)


def _what_is_saved(attention: bool, ctx: Any, op: Any, *args: Any, **kwargs: Any) -> CheckpointPolicy:
    saved = (attention and op is ATTENTION) or (_saving.get() and op in MATMULS)
    return CheckpointPolicy.MUST_SAVE if saved else CheckpointPolicy.PREFER_RECOMPUTE


_saving: ContextVar[bool] = ContextVar("in a projection whose output is saved", default=False)


def _mark_saved(linear: nn.Linear) -> None:
    """Make a projection's output one that ``_what_is_saved`` saves."""
    plain: Callable[[Tensor], Tensor] = linear.forward

    def forward(x: Tensor) -> Tensor:
        token = _saving.set(True)
        try:
            return plain(x)
        finally:
            _saving.reset(token)

    linear.forward = forward  # type: ignore[method-assign, assignment]


Contexts = tuple[AbstractContextManager[Any], AbstractContextManager[Any]]
"""The context of a checkpointed layer's forward, and that of its recomputation in the backward."""


def _saved_on_gpu() -> Contexts:
    return create_selective_checkpoint_contexts(partial(_what_is_saved, True))


def _attention_on_host(offload: ActivationOffload) -> Contexts:
    """Contexts in which attention outputs are kept on the host; matrix products that are saved stay on the GPU."""
    away: deque[list[Any]] = deque()

    def leave(attend: Any, *args: Any, **kwargs: Any) -> Any:
        out = attend(*args, **kwargs)
        away.append([offload.pack(x.detach()) for x in out])
        return out

    def come_back(attend: Any, *args: Any, **kwargs: Any) -> Any:
        return tuple(offload.unpack(x) for x in away.popleft())

    first, second = create_selective_checkpoint_contexts(partial(_what_is_saved, False))
    return _within(_InsteadOfAttention(leave), first), _within(_InsteadOfAttention(come_back), second)


class _InsteadOfAttention(TorchDispatchMode):
    """Calls ``instead(op, *args)`` wherever the attention op is called."""

    def __init__(self, instead: Callable[..., Any]) -> None:
        super().__init__()
        self.instead = instead

    @classmethod
    def ignore_compile_internals(cls) -> bool:
        """Compiled functions, such as GLM's rotary embedding, stay compiled."""
        return True

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.instead(func, *args, **(kwargs or {})) if func is ATTENTION else func(*args, **(kwargs or {}))


@contextmanager
def _within(outer: AbstractContextManager[Any], inner: AbstractContextManager[Any]) -> Iterator[None]:
    with outer, inner:
        yield


def _checkpoint_offloaded(offload: ActivationOffload, run: Any, *args: Any, **kwargs: Any) -> Any:
    with offload.layer():
        return run(*args, **kwargs)


def apply_checkpointing(
    model: PreTrainedModel, mode: Checkpointing, kept_layers: int = 0, offload: bool = False
) -> None:
    """Set which activations each decoder layer keeps, through transformers' own hook: parameter names do not change.

    Args:
        mode: ``none`` keeps everything. ``full`` keeps a layer's input and computes the layer again in the backward.
            ``attention`` also keeps the attention output (T × width × 2 bytes a layer in bf16), so that the part whose
            cost grows with the square of the length runs once. ``matmuls`` is ``attention``, with other last layers.
        kept_layers: how many of the last layers keep more. Under ``full`` and ``attention`` they keep everything, under
            ``matmuls`` the outputs of all projections but ``COMPUTED_AGAIN``: two thirds of the memory, and little but
            element-wise arithmetic runs twice.
        offload: keep layer inputs, and the attention outputs that are kept, in the host's memory until the backward.
    """
    if mode == "none":
        return
    func: Any = partial(checkpoint, use_reentrant=False)
    host = ActivationOffload() if offload else None
    if mode in ("attention", "matmuls"):
        func = partial(func, context_fn=partial(_attention_on_host, host) if host else _saved_on_gpu)
    if host:
        func = partial(_checkpoint_offloaded, host, func)
    model._set_gradient_checkpointing(True, gradient_checkpointing_func=func)
    layers = [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]
    for layer in layers[len(layers) - kept_layers :]:
        if mode == "matmuls":
            _mark_projections(layer)
        else:
            layer.gradient_checkpointing = False


def _mark_projections(layer: nn.Module) -> None:
    for name, module in layer.named_modules():
        if isinstance(module, nn.Linear) and name.rpartition(".")[2] not in COMPUTED_AGAIN:
            _mark_saved(module)
