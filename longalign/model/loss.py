"""The loss: lm_head and cross-entropy on target positions only, in chunks, so that a pack's logits never exist.

In: hidden states of a pack, the lm_head's weight, labels and loss weights. Out: the weighted *sum*; its normaliser is
applied in ``training/module.py`` and nowhere else.
"""

from typing import Any

import torch
from torch import Tensor

LOGITS_BYTES = 512 * 2**20  # fp32 logits of one chunk


def weighted_linear_cross_entropy(
    hidden_states: Tensor,
    weight: Tensor,
    labels: Tensor,
    loss_weights: Tensor,
    *,
    bias: Tensor | None = None,
    target_index: Tensor | None = None,
    chunk_size: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Weighted sum of the cross-entropies of a linear classifier, computed at target positions only.

    Equals, without ever holding ``[T, V]`` logits::

        ce = cross_entropy(linear(hidden_states, weight, bias).float(), labels, ignore_index=-100, reduction="none")
        return (loss_weights * ce).sum(), ce[labels != -100]

    Args:
        hidden_states: ``[T, D]`` (or ``[1, T, D]``). ``weight``: ``[V, D]``. ``bias``: ``[V]`` or None.
        labels: int64 ``[T]``, the token predicted *at* each position, -100 for none.
        loss_weights: ``[T]``, taken in fp32; carries no gradient.
        target_index: int64 ``[N]``, positions with ``labels != -100``, if known (it saves a device sync).
        chunk_size: targets a chunk; by default as many as have 512 MiB of fp32 logits.

    Returns:
        the weighted sum (scalar, fp32; fp64 for fp64 inputs), and the N cross-entropies, detached, for logging.
    """
    hidden_states = hidden_states.reshape(-1, hidden_states.shape[-1])
    labels, loss_weights = labels.reshape(-1), loss_weights.reshape(-1)
    if target_index is None:
        target_index = (labels != -100).nonzero().squeeze(1)
    if chunk_size is None:
        chunk_size = max(1, LOGITS_BYTES // (4 * weight.shape[0]))
    parts = [hidden_states[target_index], weight, bias]
    device = hidden_states.device.type
    if torch.is_autocast_enabled(device):  # cast here: autocast is off in the backward, which would compute in fp32
        dtype = torch.get_autocast_dtype(device)
        parts = [None if part is None else part.to(dtype) for part in parts]
    with torch.autocast(device, enabled=False):
        return _WeightedLinearCrossEntropy.apply(*parts, labels[target_index], loss_weights[target_index], chunk_size)


class _WeightedLinearCrossEntropy(torch.autograd.Function):
    """The loss of the N target rows. Saves their log-sum-exp; the backward computes the logits again, by chunks."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, labels: Tensor, weights: Tensor, chunk: int
    ) -> tuple[Tensor, Tensor]:
        dtype = torch.float64 if hidden.dtype == torch.float64 else torch.float32
        lse = torch.empty(len(labels), dtype=dtype, device=hidden.device)
        losses = torch.empty_like(lse)
        for rows in _chunks(len(labels), chunk):
            logits = torch.nn.functional.linear(hidden[rows], weight, bias).to(dtype)
            lse[rows] = logits.logsumexp(1)
            losses[rows] = lse[rows] - logits.gather(1, labels[rows, None]).squeeze(1)
        ctx.save_for_backward(hidden, weight, bias, labels, weights, lse)
        ctx.chunk = chunk
        ctx.mark_non_differentiable(losses)
        return (weights.to(dtype) * losses).sum(), losses

    @staticmethod
    def backward(ctx: Any, dloss: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        hidden, weight, bias, labels, weights, lse = ctx.saved_tensors
        dhidden = torch.empty_like(hidden) if ctx.needs_input_grad[0] else None
        dweight = torch.zeros_like(weight, dtype=lse.dtype) if ctx.needs_input_grad[1] else None
        dbias = torch.zeros_like(bias, dtype=lse.dtype) if ctx.needs_input_grad[2] else None
        for rows in _chunks(len(labels), ctx.chunk):
            logits = torch.nn.functional.linear(hidden[rows], weight, bias).to(lse.dtype)
            probabilities = logits.sub_(lse[rows, None]).exp_()
            probabilities.scatter_add_(1, labels[rows, None], probabilities.new_full((1, 1), -1).expand(len(logits), 1))
            dlogits = probabilities.mul_((weights[rows].to(lse.dtype) * dloss)[:, None])
            if dbias is not None:
                dbias += dlogits.sum(0)
            dlogits = dlogits.to(hidden.dtype)
            if dhidden is not None:
                dhidden[rows] = dlogits @ weight
            if dweight is not None:
                dweight += dlogits.T @ hidden[rows]
        return dhidden, _cast(dweight, weight), _cast(dbias, bias), None, None, None


def _chunks(total: int, size: int) -> list[slice]:
    return [slice(start, start + size) for start in range(0, total, size)]


def _cast(gradient: Tensor | None, like: Tensor | None) -> Tensor | None:
    return None if gradient is None or like is None else gradient.to(like.dtype)
