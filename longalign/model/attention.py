"""Causal attention inside each sequence of a pack, as one op that selective checkpointing can save.

In: queries, keys and values of T tokens end to end, with ``cu_seqlens``. Out: attention output and log-sum-exp.
``longalign::varlen_attention`` hides which kernel computes it (``kernels.py``); transformers' models reach it through
``AttentionInterface`` under a name of ours (``attention_name``), so no modelling code is forked.
"""

import logging
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface

from longalign.errors import UserError
from longalign.model.kernels import BACKENDS, sdpa_backward

log = logging.getLogger(__name__)


@torch.library.custom_op("longalign::varlen_attention", mutates_args=())
def varlen_attention(
    q: Tensor, k: Tensor, v: Tensor, cu_seqlens: Tensor, max_seqlen: int, scale: float, backend: str
) -> tuple[Tensor, Tensor]:
    """Causal softmax attention of each sequence of a pack with itself.

    Equals ``torch.cat([sdpa(q[a:b], k[a:b], v[a:b], is_causal=True) for a, b in pairwise(cu_seqlens)])``.

    Args:
        q: ``[T, H, D]`` queries. ``k``: ``[T, K, D]``, ``v``: ``[T, K, D]`` with K dividing H (grouped queries).
        cu_seqlens: int32 ``[S+1]``, where each sequence starts, and T at the end.
        max_seqlen: length of the longest sequence, on the host.
        scale: factor of the scores before the softmax, which is in fp32.
        backend: a key of ``BACKENDS``.

    Returns:
        output ``[T, H, D]`` in q's dtype, and the backend's log-sum-exp, which only its backward reads.
    """
    return BACKENDS[backend].forward(q.contiguous(), k.contiguous(), v.contiguous(), cu_seqlens, max_seqlen, scale)


@varlen_attention.register_fake
def _(
    q: Tensor, k: Tensor, v: Tensor, cu: Tensor, max_seqlen: int, scale: float, backend: str
) -> tuple[Tensor, Tensor]:
    lse = q.new_empty(0 if backend == "sdpa" else (q.shape[1], q.shape[0]), dtype=torch.float32)
    return q.new_empty(*q.shape[:-1], v.shape[-1]), lse


ATTENTION = torch.ops.longalign.varlen_attention.default  # the op as dispatch modes and checkpoint policies see it


@torch.library.custom_op("longalign::varlen_attention_backward", mutates_args=())
def varlen_attention_backward(
    dout: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    out: Tensor,
    lse: Tensor,
    cu_seqlens: Tensor,
    max_seqlen: int,
    scale: float,
    backend: str,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of ``varlen_attention`` with respect to q, k and v, by the same backend."""
    inputs = (x.contiguous() for x in (dout, q, k, v))
    return BACKENDS[backend].backward(*inputs, out, lse, cu_seqlens, max_seqlen, scale)


@varlen_attention_backward.register_fake
def _(
    dout: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    out: Tensor,
    lse: Tensor,
    cu_seqlens: Tensor,
    max_seqlen: int,
    scale: float,
    backend: str,
) -> tuple[Tensor, Tensor, Tensor]:
    return torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    q, k, v, cu_seqlens, ctx.max_seqlen, ctx.scale, ctx.backend = inputs
    ctx.save_for_backward(q, k, v, *output, cu_seqlens)


def _backward(ctx: Any, dout: Tensor, _dlse: Tensor) -> tuple[Tensor | None, ...]:
    q, k, v, out, lse, cu_seqlens = ctx.saved_tensors
    # sdpa's backward calls autograd, which does not work inside a custom op: it is called as it is
    run = sdpa_backward if ctx.backend == "sdpa" else partial(varlen_attention_backward, backend=ctx.backend)
    grads = run(dout, q, k, v, out, lse, cu_seqlens, ctx.max_seqlen, ctx.scale)
    return (*grads, None, None, None, None)


varlen_attention.register_autograd(_backward, setup_context=_setup_context)


def choose_backend(name: str, device: torch.device, dtype: torch.dtype = torch.bfloat16) -> str:
    """The backend to use on ``device`` in ``dtype``: ``name`` itself, or for ``auto`` the first that runs there.

    Raises:
        UserError: unknown name, or one that cannot run on this device.
    """
    if name == "auto":
        name = next(key for key, backend in BACKENDS.items() if backend.missing(device, dtype) is None)
        log.info("attention: %s (first of %s that runs on %s)", name, ", ".join(BACKENDS), device)
        return name
    if name not in BACKENDS:
        raise UserError(f"model.attention: got {name!r}, expected auto, {', '.join(BACKENDS)}")
    if reason := BACKENDS[name].missing(device, dtype):
        raise UserError(f"model.attention={name} {reason}; this run is on {device}: use auto")
    return name


def _attention_forward(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    backend: str,
    scaling: float | None = None,
    dropout: float = 0.0,
    cu_seq_lens_q: Tensor | None = None,
    max_length_q: int | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    position_bias: Tensor | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """transformers' attention interface: query ``[B, H, T, D]``, key and value ``[B, K, T, D]`` -> ``[B, T, H, D]``.

    With ``cu_seq_lens_q`` (and B = 1), causal attention inside each sequence of a pack; without, plain causal attention
    as ``generate`` needs it, also with fewer queries than keys (the queries are the last positions).
    """
    extras = any(x is not None for x in (attention_mask, s_aux, position_bias))
    if extras or dropout or sliding_window or softcap:
        raise NotImplementedError("longalign attention takes no mask, bias, sinks, dropout, sliding window or softcap")
    if torch.is_autocast_enabled(query.device.type):  # the rotary embedding has turned queries and keys to fp32
        dtype = torch.get_autocast_dtype(query.device.type)
        query, key, value = query.to(dtype), key.to(dtype), value.to(dtype)
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    if cu_seq_lens_q is not None:
        assert query.shape[0] == 1 and max_length_q is not None
        width = value.shape[-1]
        if width < query.shape[-1] and BACKENDS[backend].one_size:
            value = torch.nn.functional.pad(value, (0, query.shape[-1] - width))
        tokens_first = (x.squeeze(0).transpose(0, 1) for x in (query, key, value))
        out, _lse = varlen_attention(*tokens_first, cu_seq_lens_q, int(max_length_q), scale, backend)
        return out[..., :width].unsqueeze(0), None
    return _cached_attention(query, key, value, scale).transpose(1, 2), None


def _cached_attention(query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
    """Plain causal attention ``[B, H, Q, D]`` of Q queries ``[B, H, Q, D]``, the last positions of T keys."""
    mask = None
    if 1 < query.shape[2] < key.shape[2]:  # a chunk of a prompt, whose earlier keys come from the cache
        ones = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool, device=query.device)
        mask = ones.tril(key.shape[2] - query.shape[2])
    return scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=mask,
        is_causal=query.shape[2] == key.shape[2],
        scale=scale,
        enable_gqa=query.shape[1] != key.shape[1],
    )


def _no_mask(*args: Any, attention_mask: Tensor | None = None, **kwargs: Any) -> None:
    """transformers' mask interface: packs need no mask. A padding mask is refused, as it would be ignored."""
    if attention_mask is not None and not bool(attention_mask.all()):
        raise NotImplementedError("longalign attention takes packs or unpadded batches, got a padding mask")


def register_attention() -> None:
    """Make ``attention_name`` of each backend known to transformers."""
    for name in BACKENDS:
        AttentionInterface.register(attention_name(name), partial(_attention_forward, backend=name))
        AttentionMaskInterface.register(attention_name(name), _no_mask)


def attention_name(backend: str) -> str:
    """The ``attn_implementation`` of a backend: transformers looks up names with "flash" among its own kernels."""
    return "longalign_" + backend.replace("flash_attn_", "fa")
