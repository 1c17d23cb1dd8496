"""What a module computes: RMSNorm, a SwiGLU MLP or a rotary embedding, found by trying it and not by its class's name.

In: a module of any transformers model, also on the meta device. Out: the kind of arithmetic that `fused.py` has a
kernel for, or None.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import silu


def kind_of(module: nn.Module) -> str | None:
    """What a module's class computes, None for anything else.

    norm: RMSNorm. split_mlp, joint_mlp: SwiGLU, with gate and up in two matrices or in one. rotary, other_rotary:
    attention whose rotary embedding pairs the halves of a head as Llama's does, or other numbers (GLM's neighbours).
    """
    children = dict(module.named_children())
    if not children and set(dict(module.named_parameters())) == {"weight"} and hasattr(module, "variance_epsilon"):
        return "norm" if _same(module, _rms_norm) else None
    if children.keys() >= {"down_proj"} and _is_silu(getattr(module, "act_fn", getattr(module, "activation_fn", None))):
        if children.keys() >= {"gate_proj", "up_proj"}:
            return "split_mlp" if _same(module, _split_mlp) else None
        if "gate_up_proj" in children:
            return "joint_mlp" if _same(module, _joint_mlp) else None
    if children.keys() >= {"q_proj", "k_proj", "v_proj", "o_proj"}:
        rotary = _rotary_function(type(module).forward)
        if rotary is not None:
            return "rotary" if _rotates_halves(rotary) else "other_rotary"
    return None


def _rotary_function(forward: Any) -> Callable[..., Any] | None:
    """The ``apply_rotary_pos_emb`` that an attention's forward calls, None if it calls none."""
    used = "apply_rotary_pos_emb" in getattr(getattr(forward, "__code__", None), "co_names", ())
    return getattr(forward, "__globals__", {}).get("apply_rotary_pos_emb") if used else None


def _rms_norm(module: Any, x: Tensor) -> Tensor:
    y = x.float()
    y = y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + module.variance_epsilon)
    return module.weight * y.to(x.dtype)


def _split_mlp(module: Any, x: Tensor) -> Tensor:
    return module.down_proj(silu(module.gate_proj(x)) * module.up_proj(x))


def _joint_mlp(module: Any, x: Tensor) -> Tensor:
    gate, up = module.gate_up_proj(x).chunk(2, dim=-1)
    return module.down_proj(silu(gate) * up)


def _is_silu(function: Any) -> bool:
    x = torch.linspace(-4, 4, 9)
    return callable(function) and torch.allclose(function(x), silu(x), atol=1e-6)


def _same(module: Any, formula: Callable[[Any, Tensor], Tensor]) -> bool:
    """Whether a module computes a formula: tried on a small CPU copy with random weights, as it may be on meta."""
    generator = torch.Generator().manual_seed(0)
    try:
        small = _small_copy(module)
        with torch.no_grad():
            for parameter in small.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator))
            x = torch.randn(3, _width(small), generator=generator)
            return torch.allclose(small(x), formula(small, x), atol=1e-5)
    except (TypeError, AttributeError, RuntimeError):
        return False  # another signature, another arithmetic


def _small_copy(module: Any) -> Any:
    if hasattr(module, "variance_epsilon"):
        return type(module)(8, eps=module.variance_epsilon)
    config = deepcopy(module.config)
    config.hidden_size, config.intermediate_size = 8, 16
    return type(module)(config)


def _width(module: Any) -> int:
    return module.weight.shape[0] if hasattr(module, "weight") else module.down_proj.weight.shape[0]


def _rotates_halves(rotary: Callable[..., Any]) -> bool:
    """Whether ``rotary(q, k, cos, sin)`` pairs the first half with the second as Llama does, not neighbours as GLM."""
    generator = torch.Generator().manual_seed(0)
    q, k = torch.randn(2, 1, 1, 3, 8, generator=generator)
    angles = torch.randn(1, 3, 4, generator=generator).repeat(1, 1, 2)
    cos, sin = angles.cos(), angles.sin()
    try:
        turned = rotary(q, k, cos, sin)
    except (TypeError, RuntimeError):
        return False
    halves = [x * cos[:, None] + torch.cat((-x[..., 4:], x[..., :4]), -1) * sin[:, None] for x in (q, k)]
    return all(torch.allclose(a, b, atol=1e-6) for a, b in zip(turned, halves, strict=True))
