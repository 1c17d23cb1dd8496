"""Liger's fused kernels in place of a layer's element-wise arithmetic: RMSNorm, SiLU·up, rotary embedding.

Each saves passes over ``[T, width]`` tensors, which at 64k tokens have half a GiB and more. A module is replaced if it
computes the formula (tried on a few numbers), whatever its class is called; all others stay as they are.
"""

import functools
import logging
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from longalign.errors import UserError
from longalign.model.fusible import kind_of

log = logging.getLogger(__name__)


def liger_missing(device: torch.device) -> str | None:
    """Why Liger's kernels cannot be used on ``device``, None if they can."""
    if device.type != "cuda":
        return "needs a CUDA GPU"
    try:
        from liger_kernel.ops.swiglu import LigerFusedGateUpSiLUMulFunction  # noqa: F401 (the newest of those used)
    except Exception as error:  # Triton or the driver may be at fault
        return f"needs the package liger-kernel 0.8.2 or newer ({type(error).__name__}: {error})"
    return None


def choose_fused(name: str, device: torch.device) -> bool:
    """Whether to use Liger's kernels on ``device``.

    Raises:
        UserError: they are asked for and cannot be used.
    """
    reason = liger_missing(device)
    if name == "liger" and reason:
        raise UserError(f"model.fused=liger {reason}; this run is on {device}: use auto or none")
    return name != "none" and reason is None


def fuse_layers(model: PreTrainedModel) -> dict[str, int]:
    """Let Liger's kernels compute the norms, MLPs and rotary embeddings for which they are equal. Returns the counts.

    Parameters keep their names, and transformers' classes do not change: only the modules of this model do.
    """
    counts = {"norms": 0, "mlps": 0, "rotary": 0}
    kinds: dict[type, str | None] = {}
    for module in model.modules():
        cls = type(module)
        if cls not in kinds:
            kinds[cls] = kind_of(module)
        kind = kinds[cls]
        if kind is not None:
            _FUSED[kind](module)
            counts[_GROUPS[kind]] += 1
    log.info("fused kernels: %s", ", ".join(f"{count} {name}" for name, count in counts.items()))
    return counts


def _fuse_norm(module: Any) -> None:
    from liger_kernel.ops.rms_norm import LigerRMSNormFunction

    def forward(self: Any, hidden_states: Tensor) -> Tensor:
        return LigerRMSNormFunction.apply(hidden_states, self.weight, self.variance_epsilon, 0.0, "llama", False)

    module.forward = MethodType(forward, module)


def _fuse_split_mlp(module: Any) -> None:
    from liger_kernel.ops.swiglu import LigerSiLUMulFunction

    def forward(self: Any, x: Tensor) -> Tensor:
        return self.down_proj(LigerSiLUMulFunction.apply(self.gate_proj(x), self.up_proj(x)))

    module.forward = MethodType(forward, module)


def _fuse_joint_mlp(module: Any) -> None:
    from liger_kernel.ops.swiglu import LigerFusedGateUpSiLUMulFunction

    def forward(self: Any, hidden_states: Tensor) -> Tensor:
        joint = self.gate_up_proj(hidden_states)
        product = LigerFusedGateUpSiLUMulFunction.apply(joint.flatten(0, -2))  # its backward gives two dimensions
        return self.down_proj(product.view(*joint.shape[:-1], -1))

    module.forward = MethodType(forward, module)


def _fuse_rotary(module: Any) -> None:
    from liger_kernel.ops.rope import LigerRopeFunction

    plain = type(module).forward.__globals__["apply_rotary_pos_emb"]

    def rotary(q: Tensor, k: Tensor, cos: Tensor, sin: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        # Liger before 0.8.5 would apply a partial rotation to all of a head
        if args or kwargs or cos.shape[-1] != q.shape[-1]:
            return plain(q, k, cos, sin, *args, **kwargs)
        return LigerRopeFunction.apply(q, k, cos, sin)

    _replace_rotary(module, rotary)


def _compile_rotary(module: Any) -> None:
    """Compile a rotary embedding that Liger does not have (GLM's): uncompiled it is a dozen passes over q and k."""
    _replace_rotary(module, _compiled(type(module).forward.__globals__["apply_rotary_pos_emb"]))


@functools.cache
def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same one for all layers, so that it is compiled once."""
    return torch.compile(function)


def _replace_rotary(module: Any, rotary: Callable[..., Any]) -> None:
    """Give this attention module, and not its class, a forward that calls ``rotary`` as ``apply_rotary_pos_emb``."""
    plain = type(module).forward
    names = {**plain.__globals__, "apply_rotary_pos_emb": rotary}
    fused = FunctionType(plain.__code__, names, plain.__name__, plain.__defaults__, plain.__closure__)
    fused.__kwdefaults__ = plain.__kwdefaults__
    module.forward = MethodType(fused, module)


_FUSED = {
    "norm": _fuse_norm,
    "split_mlp": _fuse_split_mlp,
    "joint_mlp": _fuse_joint_mlp,
    "rotary": _fuse_rotary,
    "other_rotary": _compile_rotary,
}
_GROUPS = {"norm": "norms", "split_mlp": "mlps", "joint_mlp": "mlps", "rotary": "rotary", "other_rotary": "rotary"}
