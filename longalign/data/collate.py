"""Sequences end to end as one pack: what a rank sees in a micro-step.

In: token ids and unshifted labels of some sequences. Out: a `Pack`, whose labels are shifted inside each sequence and
whose weights carry the loss (`loss="sequence"` is LongAlign's Eq. 2). No padding, and nothing crosses a boundary.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from longalign.data.tokenized import IGNORE_INDEX, decode_targets

LOSSES = ("sequence", "token", "pack")


@dataclass(frozen=True)
class Pack:
    """S sequences with T tokens and N targets in all. Tensors may be on a device; everything else is on the host.

    input_ids: int64 [1, T]. position_ids: int64 [1, T], from 0 in each sequence.
    cu_seqlens: int32 [S+1], where each sequence begins, and T at the end. max_seqlen: length of the longest sequence.
    labels: int64 [1, T], the token to predict AT each position (shifted), -100 for none.
    target_index: int64 [N], positions with a label, in order: finding them on a device would be a sync.
    loss_weights: float32 [1, T], 0 where there is no target. step_weight: M, the sum of the weights of the whole step.
    source_ids: int64 [S], -1 in the dummy pack. lengths: int64 [S], numpy. num_targets: N.

    A pack without sequences (`is_dummy`) is one token of weight 0, so that every rank runs the same forwards.
    """

    input_ids: Tensor
    position_ids: Tensor
    cu_seqlens: Tensor
    max_seqlen: int
    labels: Tensor
    target_index: Tensor
    loss_weights: Tensor
    step_weight: float
    source_ids: Tensor
    lengths: np.ndarray
    num_targets: int

    @property
    def num_tokens(self) -> int:
        return self.input_ids.shape[1]

    @property
    def num_sequences(self) -> int:
        """Sequences of data: 0 in the dummy pack."""
        return len(self.lengths) if not self.is_dummy else 0

    @property
    def is_dummy(self) -> bool:
        return len(self.lengths) == 1 and self.lengths[0] == 1 and self.num_targets == 0

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "Pack":
        """The pack with its tensors on `device`."""
        return replace(self, **{name: t.to(device, non_blocking=non_blocking) for name, t in self._tensors().items()})

    def pin_memory(self) -> "Pack":
        """The pack in page-locked memory, from which a copy to a GPU does not make the host wait."""
        return replace(self, **{name: tensor.pin_memory() for name, tensor in self._tensors().items()})

    def _tensors(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}

    def __reduce__(self):
        # A loader worker sends each tensor in shared memory of its own: one buffer for all is several times faster.
        # Types with large items come first, so that every part begins at a multiple of its item size.
        tensors = sorted(self._tensors().items(), key=lambda item: -item[1].element_size())
        buffer = torch.cat([tensor.reshape(-1).view(torch.uint8) for _, tensor in tensors])
        layout = [(name, tensor.dtype, tuple(tensor.shape)) for name, tensor in tensors]
        rest = {name: value for name, value in vars(self).items() if not isinstance(value, Tensor)}
        return _unpack_buffer, (buffer, layout, rest)


def _unpack_buffer(buffer: Tensor, layout: list[tuple[str, torch.dtype, tuple[int, ...]]], rest: dict) -> Pack:
    sizes = [math.prod(shape) * dtype.itemsize for _, dtype, shape in layout]
    parts = zip(layout, buffer.split(sizes), strict=True)
    return Pack(**{name: part.view(dtype).view(shape) for (name, dtype, shape), part in parts}, **rest)


def collate(
    sequences: Sequence[tuple[Any, Any]],
    *,
    loss: str = "sequence",
    step_weight: float | None = None,
    source_ids: Sequence[int] | np.ndarray | None = None,
) -> Pack:
    """Put sequences end to end.

    sequences: `[(input_ids, labels), …]`, lists or arrays, labels unshifted as in Hugging Face (-100 for none; that of
        the first token predicts nothing and does not count).
    loss: the weight of a target, with N_i targets in its sequence and N in the pack: `sequence` 1/N_i (LongAlign's
        Eq. 2), `token` 1, `pack` 1/N (Eq. 3).
    step_weight: M, the sum of the weights over all packs of the optimizer step; by default the sum over this pack. The
        loss of a step is the sum of weight × cross-entropy, divided by M.
    source_ids: of each sequence, by default 0.
    """
    lengths = np.array([len(ids) for ids, _ in sequences], np.int64)
    assert all(len(labels) == n for n, (_, labels) in zip(lengths, sequences, strict=True)), "ids and labels differ"
    input_ids = np.concatenate([np.asarray(ids, np.int64) for ids, _ in sequences] or [np.zeros(0, np.int64)])
    labels = np.concatenate([np.asarray(labels, np.int64) for _, labels in sequences] or [np.zeros(0, np.int64)])
    return _pack(input_ids, labels, lengths, loss, step_weight, source_ids)


def collate_coded(
    sequences: Sequence[tuple[np.ndarray, np.ndarray]],
    eos_id: int,
    *,
    loss: str = "sequence",
    step_weight: float | None = None,
    source_ids: Sequence[int] | np.ndarray | None = None,
) -> Pack:
    """`collate` for rows of the cache: `[(input_ids int32, target codes uint8), …]`, see `encode_targets`."""
    lengths = np.array([len(ids) for ids, _ in sequences], np.int64)
    input_ids = np.concatenate([ids for ids, _ in sequences] or [np.zeros(0, np.int32)]).astype(np.int64)
    targets = np.concatenate([codes for _, codes in sequences] or [np.zeros(0, np.uint8)])
    return _pack(input_ids, decode_targets(input_ids, targets, eos_id), lengths, loss, step_weight, source_ids)


def _pack(
    input_ids: np.ndarray,
    labels: np.ndarray,
    lengths: np.ndarray,
    loss: str,
    step_weight: float | None,
    source_ids: Sequence[int] | np.ndarray | None,
) -> Pack:
    """A pack of sequences that are joined already. input_ids, labels: int64 [T], unshifted. The rest as in `collate`.

    lengths: int64 [S]; without any, the pack is the dummy.
    """
    assert loss in LOSSES, f"loss {loss!r} is not one of {LOSSES}"
    assert np.all(lengths > 0), "a sequence without tokens"
    if len(lengths) == 0:
        lengths, source_ids = np.ones(1, np.int64), [-1]
        input_ids, labels = np.zeros(1, np.int64), np.full(1, IGNORE_INDEX)
    cu_seqlens = np.concatenate([[0], np.cumsum(lengths)])
    # sequences abc, de: [a b c d e] -> [b c - e -]
    shifted = np.empty_like(labels)
    shifted[:-1] = labels[1:]
    shifted[cu_seqlens[1:] - 1] = IGNORE_INDEX
    at_targets = np.flatnonzero(shifted != IGNORE_INDEX)
    num_targets = np.diff(np.searchsorted(at_targets, cu_seqlens))
    weight = _target_weights(num_targets, loss)
    loss_weights = np.zeros(len(labels), np.float32)
    loss_weights[at_targets] = np.repeat(weight, num_targets)
    sources = np.zeros(len(lengths), np.int64) if source_ids is None else np.asarray(source_ids, np.int64)
    assert len(sources) == len(lengths), "one source id a sequence"
    return Pack(
        input_ids=torch.from_numpy(input_ids)[None],
        position_ids=torch.from_numpy(np.arange(len(input_ids)) - np.repeat(cu_seqlens[:-1], lengths))[None],
        cu_seqlens=torch.from_numpy(cu_seqlens.astype(np.int32)),
        max_seqlen=int(lengths.max()),
        labels=torch.from_numpy(shifted)[None],
        target_index=torch.from_numpy(at_targets),
        loss_weights=torch.from_numpy(loss_weights)[None],
        step_weight=float(np.dot(weight, num_targets) if step_weight is None else step_weight),
        source_ids=torch.from_numpy(sources),
        lengths=lengths,
        num_targets=int(num_targets.sum()),
    )


def _target_weights(num_targets: np.ndarray, loss: str) -> np.ndarray:
    """float64 [S]: for each sequence, the weight of each of its targets. num_targets: int64 [S]."""
    if loss == "sequence":
        return 1 / np.maximum(num_targets, 1)
    if loss == "token":
        return np.ones(len(num_targets))
    return np.full(len(num_targets), 1 / max(int(num_targets.sum()), 1))
