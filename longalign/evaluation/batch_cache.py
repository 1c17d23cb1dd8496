"""The cache of prompts that are answered together, and the attention of their new tokens in it.

In: keys and values of prompts that were read as packs, then those of a token of each prompt at every step. Out: the
attention output of these tokens. Prompts differ in length, and there is no padding mask: all end in the same column.
"""

from itertools import groupby
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.cache_utils import DynamicLayer

from longalign.model.kernels import BACKENDS

DECODE = "longalign_decode"
"""Name under which transformers knows the attention of the generated tokens."""


class BatchLayer(DynamicLayer):
    """Keys and values of one layer for a batch, stored as ``[B, L, K, D]``.

    All prompts end in the same column, and the answers are written into the columns behind it. Two prompts of 3 and 5
    tokens, after one step: [0 0 a b c | x .], [d e f g h | y .]. `update` returns the whole store, as ``[B, K, L, D]``.
    """

    def __init__(self, keys: Tensor, values: Tensor, rows: int, longest: int, room: int) -> None:
        super().__init__()
        self.dtype, self.device, self.is_initialized = keys.dtype, keys.device, True
        self._length = longest
        sizes = ((rows, longest + room, like.shape[1], like.shape[3]) for like in (keys, values))
        self._stores = [keys.new_zeros(size) for size in sizes]
        self.keys, self.values = self._all = self._stores[0].transpose(1, 2), self._stores[1].transpose(1, 2)

    def fill(self, first: int, read: Any, lengths: list[int]) -> None:
        """Copy the keys and values of a pack's sequences into the rows from ``first`` on, and free the pack's."""
        for store, packed in zip(self._stores, (read.keys, read.values), strict=True):
            for row, part in zip(store[first:], packed[0].split(lengths, dim=1), strict=False):
                row[self._length - part.shape[1] : self._length] = part.transpose(0, 1)
        read.keys = read.values = None

    def get_seq_length(self) -> int:
        return self._length

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        for store, states in zip(self._stores, (key_states, value_states), strict=True):
            store[:, self._length : self._length + 1] = states.transpose(1, 2)
        self._length += 1
        return self._all


class Rows:
    """Attention of one new token a row, in a batch cache whose rows begin in different columns.

    firsts: the first used column of each row. length: the columns of the cache.
    """

    def __init__(self, firsts: list[int], length: int, device: torch.device) -> None:
        self._firsts = firsts
        self._starts = torch.tensor(firsts, dtype=torch.int32, device=device)
        self._queries = torch.arange(len(firsts) + 1, dtype=torch.int32, device=device)  # cu_seqlens of the queries
        self._keys = self._queries * length
        self._keys[:-1] += self._starts
        self._flash = BACKENDS["torch"].missing(device, torch.bfloat16) is None and torch.version.hip is None

    def attend(self, query: Tensor, key: Tensor, value: Tensor, columns: int, scale: float | None) -> Tensor:
        """Queries ``[B, H, 1, D]``; keys and values ``[B, K, L, D]``, filled up to ``columns`` -> ``[B, 1, H, D]``."""
        half = query.dtype in (torch.bfloat16, torch.float16)
        if self._flash and half and key.shape == value.shape and key.shape[-1] % 8 == 0 and key.shape[-1] <= 256:
            return self._together(query, key, value, columns, scale)
        return self._neighbours(query, key, value, columns, scale)

    def _together(self, query: Tensor, key: Tensor, value: Tensor, columns: int, scale: float | None) -> Tensor:
        """All rows in one call of torch's FlashAttention, as sequences used from their start to ``columns``."""
        out, *_ = torch.ops.aten._flash_attention_forward(
            query.squeeze(2),
            key.transpose(1, 2).flatten(0, 1),
            value.transpose(1, 2).flatten(0, 1),
            self._queries,
            self._keys,
            1,
            columns,
            0.0,
            False,
            False,
            scale=scale,
            seqused_k=columns - self._starts,
        )
        return out.unsqueeze(1)

    def _neighbours(self, query: Tensor, key: Tensor, value: Tensor, columns: int, scale: float | None) -> Tensor:
        """One call for each group of neighbouring rows of equal length; without a mask, so fast kernels can be used."""
        out = query.new_empty(*query.shape[:-1], value.shape[-1])
        for first, rows in groupby(range(len(self._firsts)), key=self._firsts.__getitem__):
            some = list(rows)
            chosen = slice(some[0], some[-1] + 1)
            out[chosen] = scaled_dot_product_attention(
                query[chosen],
                key[chosen, :, first:columns],
                value[chosen, :, first:columns],
                scale=scale,
                enable_gqa=query.shape[1] != key.shape[1],
            )
        return out.transpose(1, 2)


def _decode_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    rows: Rows,
    columns: int,
    scaling: float | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """transformers' attention interface; the caller passes `rows` and `columns` through the model."""
    return rows.attend(query, key, value, columns, scaling), None


def register_decode() -> None:
    """Make `DECODE` known to transformers."""
    AttentionInterface.register(DECODE, _decode_attention)
    AttentionMaskInterface.register(DECODE, lambda *_, **__: None)
