"""Kernels of packed causal attention, each as a pair of functions under one signature, and where each of them runs.

In: queries, keys, values of T tokens end to end and ``cu_seqlens``. Out: attention and log-sum-exp, or gradients.
``longalign::varlen_attention`` (``attention.py``) is the op in front of them.
"""

import importlib
import os
from collections.abc import Callable, Container
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention


@dataclass(frozen=True)
class Backend:
    """A kernel: ``forward(q, k, v, cu, max_seqlen, scale) -> (out, lse)`` and
    ``backward(dout, q, k, v, out, lse, cu, max_seqlen, scale) -> (dq, dk, dv)``.

    ``missing(device, dtype)`` says why the kernel cannot run there, None if it can. ``lse`` is fp32 ``[H, T]``, or
    empty where the backward does not need it. Under torch's deterministic algorithms (``trainer.deterministic``) a
    backward gives the same bits each time, and takes longer. ``one_size``: values must be as wide as queries (they are
    narrower in DeepSeek, MiniCPM3, …), so the caller pads them.
    """

    forward: Callable[..., tuple[Tensor, Tensor]]
    backward: Callable[..., tuple[Tensor, Tensor, Tensor]]
    missing: Callable[[torch.device, torch.dtype], str | None]
    one_size: bool = False


# sdpa: one sequence at a time, on any device in any dtype; the plain twin of the others


def _one_sequence(q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
    q, k, v = (x.transpose(0, 1).unsqueeze(0) for x in (q, k, v))
    out = scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale, enable_gqa=q.shape[1] != k.shape[1])
    return out.squeeze(0).transpose(0, 1)


def sdpa_forward(
    q: Tensor, k: Tensor, v: Tensor, cu_seqlens: Tensor, max_seqlen: int, scale: float
) -> tuple[Tensor, Tensor]:
    """Attention of each sequence in turn."""
    out = torch.empty(*q.shape[:-1], v.shape[-1], dtype=q.dtype, device=q.device)
    bounds = cu_seqlens.tolist()
    for start, stop in pairwise(bounds):
        out[start:stop] = _one_sequence(q[start:stop], k[start:stop], v[start:stop], scale)
    return out, q.new_empty(0, dtype=torch.float32)  # its backward computes the forward again, so it needs no lse


def sdpa_backward(
    dout: Tensor, q: Tensor, k: Tensor, v: Tensor, out: Tensor, lse: Tensor, cu: Tensor, max_seqlen: int, scale: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Its gradients, by autograd."""
    grads = tuple(torch.empty_like(x) for x in (q, k, v))
    bounds = cu.tolist()
    for start, stop in pairwise(bounds):
        with torch.enable_grad():
            inputs = [x[start:stop].detach().requires_grad_() for x in (q, k, v)]
            output = _one_sequence(inputs[0], inputs[1], inputs[2], scale)
        for grad, part in zip(grads, torch.autograd.grad(output, inputs, dout[start:stop]), strict=True):
            grad[start:stop] = part
    return grads  # type: ignore[return-value]


# torch: FlashAttention 2 inside torch


def _torch_forward(q: Tensor, k: Tensor, v: Tensor, cu: Tensor, max_seqlen: int, scale: float) -> tuple[Tensor, Tensor]:
    out, lse, *_ = torch.ops.aten._flash_attention_forward(
        q, k, v, cu, cu, max_seqlen, max_seqlen, 0.0, True, False, scale=scale
    )
    return out, lse


def _torch_backward(
    dout: Tensor, q: Tensor, k: Tensor, v: Tensor, out: Tensor, lse: Tensor, cu: Tensor, max_seqlen: int, scale: float
) -> tuple[Tensor, Tensor, Tensor]:
    no_dropout = torch.empty(2, dtype=torch.uint64, device=q.device)  # philox state, not read when dropout is 0
    return torch.ops.aten._flash_attention_backward(
        dout, q, k, v, out, lse, cu, cu, max_seqlen, max_seqlen, 0.0, True, no_dropout, no_dropout, scale=scale
    )


# flash_attn_2: package flash-attn


def _flash2_forward(
    q: Tensor, k: Tensor, v: Tensor, cu: Tensor, max_seqlen: int, scale: float
) -> tuple[Tensor, Tensor]:
    from flash_attn.flash_attn_interface import _flash_attn_varlen_forward

    out, lse, *_ = _flash_attn_varlen_forward(
        q, k, v, cu, cu, max_seqlen, max_seqlen, dropout_p=0.0, softmax_scale=scale, causal=True
    )
    return out, lse


def _flash2_backward(
    dout: Tensor, q: Tensor, k: Tensor, v: Tensor, out: Tensor, lse: Tensor, cu: Tensor, max_seqlen: int, scale: float
) -> tuple[Tensor, Tensor, Tensor]:
    from flash_attn.flash_attn_interface import _flash_attn_varlen_backward

    grads = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
    _flash_attn_varlen_backward(
        dout,
        q,
        k,
        v,
        out,
        lse,
        *grads,
        cu,
        cu,
        max_seqlen,
        max_seqlen,
        dropout_p=0.0,
        softmax_scale=scale,
        causal=True,
        window_size_left=-1,
        window_size_right=-1,
        softcap=0.0,
        alibi_slopes=None,
        deterministic=torch.are_deterministic_algorithms_enabled(),
    )
    return grads


def _lengths(cu: Tensor, max_seqlen: int) -> dict[str, Any]:
    """Of queries and of keys, which are the same sequences, as FlashAttention 3 and 4 name them."""
    return {"cu_seqlens_q": cu, "cu_seqlens_k": cu, "max_seqlen_q": max_seqlen, "max_seqlen_k": max_seqlen}


# flash_attn_3: Hopper, package flash-attn-3 (module flash_attn_interface)


def _flash3_forward(
    q: Tensor, k: Tensor, v: Tensor, cu: Tensor, max_seqlen: int, scale: float
) -> tuple[Tensor, Tensor]:
    from flash_attn_interface import _flash_attn_forward

    out, lse, *_ = _flash_attn_forward(q, k, v, **_lengths(cu, max_seqlen), softmax_scale=scale, causal=True)
    return out, lse


def _flash3_backward(
    dout: Tensor, q: Tensor, k: Tensor, v: Tensor, out: Tensor, lse: Tensor, cu: Tensor, max_seqlen: int, scale: float
) -> tuple[Tensor, Tensor, Tensor]:
    from flash_attn_interface import _flash_attn_backward

    dq, dk, dv = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
    grads = {"dq": dq, "dk": dk, "dv": dv}
    deterministic = torch.are_deterministic_algorithms_enabled()
    options = {"softmax_scale": scale, "is_causal": True, "deterministic": deterministic}
    _flash_attn_backward(dout, q, k, v, out, lse, **_lengths(cu, max_seqlen), **grads, **options)
    return dq, dk, dv


# flash_attn_4: Hopper and Blackwell, package flash-attn-4 (module flash_attn.cute). Compiles on its first calls.

COMPILED = Path("~/.cache/longalign/flash_attn_4")
"""Where the package keeps what it has compiled, for the processes after this one, unless its own variables say else."""


def _flash4_missing(device: torch.device, dtype: torch.dtype) -> str | None:
    if device.type == "cuda":
        _keep_compiled(COMPILED.expanduser())
    return _FLASH4_NEEDS(device, dtype)


def _keep_compiled(folder: Path) -> None:
    """Have the package keep its compiled kernels in a folder; it reads these variables when it is imported."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:  # every process compiles for itself, as the package does by default
        return
    os.environ.setdefault("FLASH_ATTENTION_CUTE_DSL_CACHE_ENABLED", "1")
    os.environ.setdefault("FLASH_ATTENTION_CUTE_DSL_CACHE_DIR", str(folder))


def _flash4_forward(
    q: Tensor, k: Tensor, v: Tensor, cu: Tensor, max_seqlen: int, scale: float
) -> tuple[Tensor, Tensor]:
    from flash_attn.cute.interface import _flash_attn_fwd

    lengths = _lengths(cu, max_seqlen)
    out, lse, *_ = _flash_attn_fwd(q, k, v, **lengths, softmax_scale=scale, causal=True, return_lse=True)
    assert lse is not None
    return out, lse


def _flash4_backward(
    dout: Tensor, q: Tensor, k: Tensor, v: Tensor, out: Tensor, lse: Tensor, cu: Tensor, max_seqlen: int, scale: float
) -> tuple[Tensor, Tensor, Tensor]:
    from flash_attn.cute.interface import _flash_attn_bwd

    options = {"causal": True, "deterministic": torch.are_deterministic_algorithms_enabled()}
    lengths = _lengths(cu, max_seqlen)
    dq, dk, dv, *_ = _flash_attn_bwd(q, k, v, out, dout, lse, **lengths, softmax_scale=scale, **options)
    return dq, dk, dv


def _needs(
    gpu: str, majors: Container[int], *, module: str | None = None, package: str | None = None
) -> Callable[[torch.device, torch.dtype], str | None]:
    """A check for a GPU (in words, and its major compute capabilities), 16-bit compute and an importable module."""

    def missing(device: torch.device, dtype: torch.dtype) -> str | None:
        if device.type != "cuda":
            return "needs a CUDA GPU"
        if torch.cuda.get_device_capability(device)[0] not in majors:
            return f"needs {gpu}"
        if dtype not in (torch.bfloat16, torch.float16):
            return "needs model.compute_dtype bfloat16"
        if module is not None and (reason := _import_failure(module)):
            return f"needs the package {package} ({reason})"
        return None

    return missing


def _import_failure(module: str) -> str | None:
    try:
        importlib.import_module(module)
    except Exception as error:  # a kernel package built for another torch or CUDA fails in many ways
        return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}"
    return None


AMPERE = "an Ampere GPU or newer", range(8, 100)

_FLASH4_NEEDS = _needs("a Hopper or Blackwell GPU", (9, 10), module="flash_attn.cute.interface", package="flash-attn-4")

BACKENDS: dict[str, Backend] = {
    "flash_attn_4": Backend(_flash4_forward, _flash4_backward, _flash4_missing),
    "flash_attn_3": Backend(
        _flash3_forward,
        _flash3_backward,
        _needs("a Hopper GPU", (9,), module="flash_attn_interface", package="flash-attn-3"),
        one_size=True,  # it takes some narrower ones
    ),
    "flash_attn_2": Backend(
        _flash2_forward,
        _flash2_backward,
        _needs(*AMPERE, module="flash_attn.flash_attn_interface", package="flash-attn"),
        one_size=True,
    ),
    "torch": Backend(_torch_forward, _torch_backward, _needs(*AMPERE), one_size=True),
    "sdpa": Backend(sdpa_forward, sdpa_backward, lambda device, dtype: None),
}
"""In the order in which ``auto`` tries them, the fastest first. ``sdpa`` runs anywhere."""
