"""What a step has done, summed over its packs and ranks: losses by source and by length, tokens, FLOPs.

In: packs and the cross-entropy of each of their targets. Out: a flat dict of metric names and numbers.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from longalign.data.collate import Pack
from longalign.model.flops import ModelShape, train_flops

LENGTH_EDGES = (1024, 4096, 8192, 16384, 32768, 65536)
LENGTH_NAMES = ("0-1k", "1k-4k", "4k-8k", "8k-16k", "16k-32k", "32k-64k", "64k-up")


class StepMeter:
    """Sums over packs, kept on the device until ``reduce``; a sequence's loss is the mean over its targets.

    ``update`` never waits for the device, so the host can prepare the next micro-step; ``reduce`` is one sync a step.

    Args:
        sources: names of the data sources, in the order of ``Pack.source_ids``.
        shape: the model's shape, for FLOPs.
        by_position: also report the mean over targets by their position in the sequence.
    """

    def __init__(self, sources: Sequence[str], shape: ModelShape, by_position: bool = False) -> None:
        self.names = [f"source/{name}" for name in sources] + [f"length/{name}" for name in LENGTH_NAMES]
        self.num_sources, self.shape = len(sources), shape
        self.by_position = by_position
        if by_position:
            self.names += [f"position/{name}" for name in LENGTH_NAMES]
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.objective: Tensor | float = 0.0  # Σ loss_weights × cross-entropy
        self.weights: Tensor | float = 0.0  # Σ loss_weights
        self.losses: Tensor | float = 0.0  # Σ of sequence means by group, then of targets by position
        self.counts: Tensor | float = 0.0  # of sequences with targets, then of targets
        self.host = dict.fromkeys(("tokens", "targets", "sequences", "flops"), 0.0)

    @torch.no_grad()
    def update(self, pack: Pack, token_losses: Tensor) -> None:
        """Add a pack, given the cross-entropies ``[N]`` of its targets in order of position."""
        if pack.num_targets == 0:
            return
        weights = pack.loss_weights.reshape(-1)[pack.target_index].to(token_losses.dtype)
        self.objective = self.objective + (weights * token_losses).sum().double()
        self.weights = self.weights + weights.sum().double()
        sequence = torch.searchsorted(pack.cu_seqlens, pack.target_index.to(torch.int32), right=True) - 1
        size = len(pack.cu_seqlens) - 1
        sums = torch.zeros(size, dtype=torch.float64, device=token_losses.device)
        counts = torch.zeros_like(sums)
        sums.index_add_(0, sequence, token_losses.double())
        counts.index_add_(0, sequence, torch.ones_like(token_losses, dtype=torch.float64))
        groups = self._groups(pack)
        means, found = groups @ (sums / counts.clamp(min=1)), groups @ (counts > 0).double()
        if self.by_position:
            by_place = _sums_by_position(pack, token_losses)
            means, found = torch.cat([means, by_place[0]]), torch.cat([found, by_place[1]])
        self.losses = self.losses + means
        self.counts = self.counts + found
        self.host["tokens"] += int(pack.lengths.sum())
        self.host["targets"] += pack.num_targets
        self.host["sequences"] += len(pack.lengths)
        self.host["flops"] += train_flops(self.shape, pack.lengths, pack.num_targets)

    def _groups(self, pack: Pack) -> Tensor:
        """float64 ``[groups, S]``: 1 where a sequence is in a group; each is in one source and one range of lengths."""
        device = pack.source_ids.device
        in_source = pack.source_ids == torch.arange(self.num_sources, device=device)[:, None]
        in_range = _ranges_of(pack.cu_seqlens.diff()) == torch.arange(len(LENGTH_NAMES), device=device)[:, None]
        return torch.cat([in_source, in_range]).double()

    def reduce(self, all_reduce: Callable[[Tensor], Tensor], device: torch.device) -> dict[str, float]:
        """Sum over ranks by ``all_reduce`` (one call), forget, and name the results.

        ``loss`` is the objective: for sequence weights the mean over sequences of the mean over targets (Eq. 2).
        Groups without a sequence have no entry.
        """
        empty = torch.zeros(len(self.names), dtype=torch.float64, device=device)
        totals = (self.objective, self.weights, *self.host.values())
        parts = [
            torch.stack([torch.as_tensor(x, dtype=torch.float64, device=device) for x in totals]),
            empty + self.losses,
            empty + self.counts,
        ]
        flat = all_reduce(torch.cat(parts)).tolist()
        self.reset()
        objective, weight, tokens, targets, sequences, flops, *groups = flat
        result = {
            "loss": objective / weight if weight else float("nan"),
            "tokens": tokens,
            "targets": targets,
            "sequences": sequences,
            "flops": flops,
        }
        losses, counts = groups[: len(self.names)], groups[len(self.names) :]
        for name, loss, count in zip(self.names, losses, counts, strict=True):
            if count:
                result[f"loss_{name}"] = loss / count
        return result


def _sums_by_position(pack: Pack, token_losses: Tensor) -> Tensor:
    """float64 ``[2, ranges]``: sums and counts of the targets' cross-entropies by position in their sequence."""
    ranges = _ranges_of(pack.position_ids.reshape(-1)[pack.target_index])
    sums = torch.zeros(2, len(LENGTH_NAMES), dtype=torch.float64, device=token_losses.device)
    losses = token_losses.double()
    return sums.index_add_(1, ranges, torch.stack([losses, torch.ones_like(losses)]))


def _ranges_of(values: Tensor) -> Tensor:
    """int64, indices into ``LENGTH_NAMES`` of lengths or positions. Edges are no tensor: its copy would be a sync."""
    return torch.stack([values >= edge for edge in LENGTH_EDGES]).sum(0)
