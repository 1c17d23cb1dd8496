"""The plan of an epoch: which sequences form which pack, which packs form which step, which rank sees which pack.

Lengths and target counts go in, a `BatchPlan` comes out. `plan_batches` is a pure function, so every rank computes the
same plan without communication. What a step contains does not depend on the world size; only the arrangement of its
packs over ranks and micro-steps does. So a run can be resumed on another number of GPUs with the same steps.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from longalign.counted import counted
from longalign.data.balance import balanced_packs
from longalign.data.packing import best_fit_decreasing, group_by_pack
from longalign.errors import UserError

GEMM_FLOPS_PER_S, ATTENTION_FLOPS_PER_S = 650e12, 623e12
"""Rates on one H200 with FlashAttention 4. Only their ratio enters a plan, so it is the same on every machine."""


@dataclass(frozen=True)
class SequenceCost:
    """Time of one sequence, forward and backward: linear * len + quadratic * len**2, in any unit (default: seconds).

    The default is Llama-2-7B on one H200, attention saved in checkpointing: 8 FLOPs for each of the 6.6e9 matrix
    parameters and token (forward, backward, recompute); attention 3.5 * 2 * 4096 * 32 FLOPs for each pair of positions
    in the causal half. For a document of 64k it gives 11.7 s, that is 513 model TFLOP/s; 505 were measured.
    """

    linear: float = 8 * 6.607e9 / GEMM_FLOPS_PER_S
    quadratic: float = 3.5 * 2 * 4096 * 32 / ATTENTION_FLOPS_PER_S

    def of(self, lengths: np.ndarray) -> np.ndarray:
        """Costs float64, one for each length."""
        lengths = np.asarray(lengths, np.float64)
        return lengths * (self.linear + self.quadratic * lengths)


@dataclass(frozen=True)
class BatchPlan:
    """One epoch. Pack number = step * packs_per_step + micro_step * world_size + rank.

    order: int64[n], sequence indices, pack after pack.
    pack_offsets: int64[P + 1]; pack p holds order[pack_offsets[p]:pack_offsets[p + 1]]. P is a multiple of
        packs_per_step; only the last step has empty packs.
    step_sequences, step_targets, step_packs: int64[steps], how many sequences with targets, targets, and packs with
        targets a step has: its normaliser M under the loss weighting of that name.
    pack_tokens: int64[P]. pack_costs: float64[P], in the unit of `SequenceCost`.
    digest: sha256 of the steps' contents, the same for every world size.
    """

    strategy: str
    max_length: int
    packs_per_step: int
    world_size: int
    order: np.ndarray
    pack_offsets: np.ndarray
    step_sequences: np.ndarray
    step_targets: np.ndarray
    step_packs: np.ndarray
    pack_tokens: np.ndarray
    pack_costs: np.ndarray
    digest: str

    @property
    def num_packs(self) -> int:
        return len(self.pack_offsets) - 1

    @property
    def num_steps(self) -> int:
        return self.num_packs // self.packs_per_step

    def pack(self, number: int) -> np.ndarray:
        """Sequence indices int64[S] of a pack; S is 0 for the packs that fill up the last step."""
        return self.order[self.pack_offsets[number] : self.pack_offsets[number + 1]]

    def working_share(self, steps: int | slice = slice(None)) -> float:
        """Share (0-1) of GPU time spent on packs and not on waiting, of one step or of several, by default all.

        In each micro-step all ranks wait for the pack that costs most.
        """
        costs = self.pack_costs.reshape(self.num_steps, -1, self.world_size)[steps]
        return float(costs.sum() / (costs.max(axis=-1).sum() * self.world_size))

    def fill(self) -> float:
        """Tokens divided by the room of all packs (0-1); the empty packs of the last step do not count."""
        return float(self.pack_tokens.sum() / (np.count_nonzero(self.pack_tokens) * self.max_length))


# (order, offsets) as in `BatchPlan`, without empty packs: the first packs_per_step packs make the first step, etc.
Packs = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class _Request:
    """What a strategy is given: lengths int64[n] and costs float64[n] of the sequences, and the epoch's generator."""

    lengths: np.ndarray
    costs: np.ndarray
    max_length: int
    packs_per_step: int
    rng: np.random.Generator


def _naive(request: _Request) -> Packs:
    """One sequence a pack, shuffled."""
    n = len(request.lengths)
    return request.rng.permutation(n), np.arange(n + 1)


def _sorted(request: _Request) -> Packs:
    """One sequence a pack; groups of neighbours in length, in random order (LongAlign's sorted batching).

    LongAlign's groups have as many sequences as there are ranks. Steps must not depend on the world size here, so a
    group has as many as the largest power of two that divides packs_per_step: the micro-steps of any world size that is
    a power of two are neighbours in length. An incomplete group comes last; the original drops it.
    """
    n, rng = len(request.lengths), request.rng
    group = request.packs_per_step & -request.packs_per_step
    shuffled = rng.permutation(n)
    by_length = shuffled[np.argsort(-request.lengths[shuffled], kind="stable")]
    whole = n // group * group
    # the incomplete group is taken from a random place, so that its sequences are not always the shortest
    cut = int(rng.integers(0, whole // group + 1)) * group
    tail = by_length[cut : cut + n - whole]
    groups = np.delete(by_length, np.s_[cut : cut + n - whole]).reshape(-1, group)
    return np.concatenate([rng.permutation(groups).ravel(), tail]), np.arange(n + 1)


def _packing(request: _Request) -> Packs:
    """Best-fit decreasing, packs shuffled."""
    pack_of, num_packs = best_fit_decreasing(request.lengths, request.max_length, request.rng)
    return group_by_pack(request.rng.permutation(num_packs)[pack_of], num_packs)


def _balanced(request: _Request) -> Packs:
    """The packs of a step cost the same time, and every step has the same mixture of lengths; see data/balance.py."""
    pack_of, num_packs = balanced_packs(
        request.lengths, request.costs, request.max_length, request.packs_per_step, request.rng
    )
    order, offsets = group_by_pack(pack_of, num_packs)
    sizes = np.diff(offsets).reshape(-1, request.packs_per_step)
    steps = request.rng.permutation(len(sizes))
    steps = steps[np.argsort((sizes[steps] == 0).any(axis=1), kind="stable")]  # steps with empty packs last
    numbers = (steps[:, None] * request.packs_per_step + np.arange(request.packs_per_step)).ravel()
    numbers = numbers[sizes.ravel()[numbers] > 0]  # later packs move up: empty ones are made at the end alone
    return _take_packs(order, offsets, numbers)


STRATEGIES: dict[str, Callable[[_Request], Packs]] = {
    "naive": _naive,
    "sorted": _sorted,
    "packing": _packing,
    "balanced": _balanced,
}
ONE_SEQUENCE_A_PACK = {"naive", "sorted"}
# these sort the packs of a step by cost before dealing them to the ranks; naive and packing deal them as they come
ARRANGED_BY_COST = {"sorted", "balanced"}


def plan_batches(
    lengths: np.ndarray,
    num_targets: np.ndarray,
    *,
    strategy: str = "balanced",
    max_length: int,
    packs_per_step: int,
    world_size: int = 1,
    seed: int = 0,
    epoch: int = 0,
    cost: SequenceCost | None = None,
) -> BatchPlan:
    """Plan an epoch: each sequence in exactly one pack, no pack above max_length tokens, nothing lost at the end.

    The first epoch begins with the two steps that hold the fullest packs, so that a run that lacks memory fails at
    once. (Two, because in the first step the optimizer has no states yet.)

    lengths, num_targets: int[n], tokens and targets of each sequence. A sequence without targets is packed like any
    other, but counts in no normaliser.

    Raises:
        UserError: an unknown strategy, no sequence at all, a length below 1 or above max_length, or a world size that
            does not divide packs_per_step.
    """
    lengths, num_targets = _checked(lengths, num_targets, strategy, max_length, packs_per_step, world_size)
    cost = cost or SequenceCost()
    request = _Request(lengths, cost.of(lengths), max_length, packs_per_step, np.random.default_rng([seed, epoch]))
    packs = STRATEGIES[strategy](request)
    if epoch == 0:
        packs = _fullest_steps_first(*packs, lengths, packs_per_step)
    return plan_from_packs(
        *packs,
        lengths,
        num_targets,
        strategy=strategy,
        max_length=max_length,
        packs_per_step=packs_per_step,
        world_size=world_size,
        seed=seed,
        epoch=epoch,
        cost=cost,
    )


def plan_from_packs(
    order: np.ndarray,
    offsets: np.ndarray,
    lengths: np.ndarray,
    num_targets: np.ndarray,
    *,
    strategy: str,
    max_length: int,
    packs_per_step: int,
    world_size: int = 1,
    seed: int = 0,
    epoch: int = 0,
    cost: SequenceCost | None = None,
) -> BatchPlan:
    """The plan of packs that the caller has made, dealt to steps in the order given.

    order, offsets: as in `BatchPlan`, but no pack is empty (the last step is filled up here). Nothing is checked.
    strategy: any name; one of `ARRANGED_BY_COST` has its packs sorted by cost inside each step.
    """
    cost = cost or SequenceCost()
    num_packs = -(-(len(offsets) - 1) // packs_per_step) * packs_per_step
    offsets = np.concatenate([offsets, np.full(num_packs + 1 - len(offsets), len(order))])
    digest = _digest(order, offsets, packs_per_step)
    pack_costs = _sum_by_pack(cost.of(lengths)[order], offsets)
    if strategy in ARRANGED_BY_COST:
        # its own generator: the arrangement must not depend on what the strategy drew
        numbers = _arrange(pack_costs, packs_per_step, world_size, np.random.default_rng([seed, epoch, 1]))
        order, offsets = _take_packs(order, offsets, numbers)
        pack_costs = pack_costs[numbers]
    has_targets = num_targets[order] > 0
    step_offsets = offsets[::packs_per_step]
    packs_with_targets = _sum_by_pack(has_targets, offsets) > 0
    return BatchPlan(
        strategy=strategy,
        max_length=max_length,
        packs_per_step=packs_per_step,
        world_size=world_size,
        order=order,
        pack_offsets=offsets,
        step_sequences=_sum_by_pack(has_targets, step_offsets),
        step_targets=_sum_by_pack(num_targets[order], step_offsets),
        step_packs=packs_with_targets.reshape(-1, packs_per_step).sum(axis=1),
        pack_tokens=_sum_by_pack(lengths[order], offsets),
        pack_costs=pack_costs,
        digest=digest,
    )


def _checked(
    lengths: np.ndarray, num_targets: np.ndarray, strategy: str, max_length: int, packs_per_step: int, world_size: int
) -> tuple[np.ndarray, np.ndarray]:
    lengths, num_targets = np.asarray(lengths), np.asarray(num_targets)
    if strategy not in STRATEGIES:
        raise UserError(f"data.strategy: got {strategy!r}, expected {', '.join(STRATEGIES)}")
    if packs_per_step < 1 or world_size < 1 or packs_per_step % world_size:
        raise UserError(
            f"data.packs_per_step: got {packs_per_step} for {counted(world_size, 'rank')}, expected a multiple of "
            f"{world_size}"
        )
    if len(lengths) == 0:
        raise UserError("data: there is no sequence to plan; look at the counts and filters of the sources")
    if lengths.shape != num_targets.shape or lengths.ndim != 1:
        raise UserError(
            f"lengths {lengths.shape} and num_targets {num_targets.shape} differ, expected two arrays of one shape [n]"
        )
    shortest, longest = int(lengths.min()), int(lengths.max())
    if shortest < 1:
        raise UserError(f"data: sequence {int(lengths.argmin())} has {shortest} tokens, expected 1 or more")
    if longest > max_length:
        raise UserError(
            f"data.max_length: got {max_length}, but sequence {int(lengths.argmax())} has {longest} tokens: "
            "raise it, or let data.overflow shorten or drop such sequences"
        )
    fewest = int(num_targets.min())
    if fewest < 0:
        raise UserError(f"data: sequence {int(num_targets.argmin())} has {fewest} targets, expected 0 or more")
    return lengths.astype(np.int64, copy=False), num_targets.astype(np.int64, copy=False)


def _arrange(pack_costs: np.ndarray, packs_per_step: int, world_size: int, rng: np.random.Generator) -> np.ndarray:
    """Pack numbers int64[P] in the order in which ranks get them: neighbours in cost share a micro-step.

    Inside a step: packs by falling cost, cut into micro-steps of world_size, micro-steps and ranks in random order.
    """
    num_steps = len(pack_costs) // packs_per_step
    by_cost = np.argsort(-pack_costs.reshape(num_steps, packs_per_step), axis=1, kind="stable")
    by_cost += np.arange(num_steps)[:, None] * packs_per_step
    micro_steps = by_cost.reshape(num_steps, -1, world_size)
    micro_steps = np.take_along_axis(
        micro_steps, np.argsort(rng.random(micro_steps.shape[:2]), axis=1)[:, :, None], axis=1
    )
    return rng.permuted(micro_steps, axis=2).ravel()


def _fullest_steps_first(order: np.ndarray, offsets: np.ndarray, lengths: np.ndarray, packs_per_step: int) -> Packs:
    """Move the two steps with the fullest packs to the front, in exchange for the steps there.

    A last step with too few packs stays the last.
    """
    sizes = _sum_by_pack(lengths[order], offsets)
    num_whole = len(sizes) // packs_per_step
    fullest = sizes[: num_whole * packs_per_step].reshape(num_whole, packs_per_step).max(axis=1)
    steps = np.arange(num_whole)
    for first in range(min(2, num_whole)):
        found = first + int(fullest[first:].argmax())
        for values in (steps, fullest):
            values[[first, found]] = values[[found, first]]
    numbers = (steps[:, None] * packs_per_step + np.arange(packs_per_step)).ravel()
    return _take_packs(order, offsets, np.concatenate([numbers, np.arange(len(numbers), len(sizes))]))


def _take_packs(order: np.ndarray, offsets: np.ndarray, numbers: np.ndarray) -> Packs:
    """The packs with these numbers, in this order, as a new (order, offsets)."""
    sizes = np.diff(offsets)[numbers]
    taken = np.concatenate([[0], np.cumsum(sizes)])
    # each position in the new order, minus its pack's new start, plus its pack's old start
    return order[np.arange(taken[-1]) + np.repeat(offsets[numbers] - taken[:-1], sizes)], taken


def _sum_by_pack(values: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """The sum of each pack's values, 0 for an empty pack; a sum has no rounding of other packs in it."""
    dtype = np.float64 if values.dtype.kind == "f" else np.int64
    sums = np.zeros(len(offsets) - 1, dtype)
    filled = np.flatnonzero(offsets[1:] > offsets[:-1])
    sums[filled] = np.add.reduceat(values, offsets[filled], dtype=dtype)
    return sums


def _digest(order: np.ndarray, offsets: np.ndarray, packs_per_step: int) -> str:
    """sha256 of the steps' contents: a checkpoint holds it, and a run resumes only if its own plan has the same."""
    digest = hashlib.sha256(f"longalign plan 1, {packs_per_step} packs a step".encode())
    digest.update(order.astype("<i8", copy=False).data)
    digest.update(offsets.astype("<i8", copy=False).data)
    return digest.hexdigest()
