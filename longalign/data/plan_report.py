"""What a plan is worth: fill, balance, evenness of the steps, and who owns the gradient. Pure functions of arrays.

`longalign plan` and `bin/benchmark-plan` show what these return. A *spread* is a coefficient of variation over steps,
std / mean; a last step that is filled up with empty packs is left out of it.
"""

from dataclasses import dataclass

import numpy as np

from longalign.data.plan import BatchPlan


@dataclass(frozen=True)
class PlanSummary:
    """One row of the table of strategies. Shares and fill are 0-1, spreads are std / mean over steps.

    long_from: tokens from which a sequence counts as long, an eighth of max_length (8k of 64k). long_share: long
    sequences of a step over all its sequences; long_token_share the same in tokens. target_share: targets over tokens.
    sequences_min, sequences_max: over the steps that count for the spread.
    """

    strategy: str
    world_size: int
    packs_per_step: int
    num_steps: int
    num_packs: int
    num_empty_packs: int
    fill: float
    working_share: float
    long_from: int
    sequences_mean: float
    sequences_spread: float
    sequences_min: int
    sequences_max: int
    long_share_mean: float
    long_share_spread: float
    long_token_share_spread: float
    target_share: float


def summarize(plan: BatchPlan, lengths: np.ndarray, num_targets: np.ndarray) -> PlanSummary:
    """Figures of a plan."""
    long_from = plan.max_length // 8
    is_long = lengths[plan.order] >= long_from
    starts = plan.pack_offsets[: -1 : plan.packs_per_step]
    sequences = np.diff(np.append(starts, len(plan.order)))
    tokens = plan.pack_tokens.reshape(plan.num_steps, -1)
    long_share = np.add.reduceat(is_long, starts, dtype=np.int64) / sequences
    long_tokens = np.add.reduceat(np.where(is_long, lengths[plan.order], 0), starts) / tokens.sum(axis=1)
    whole = np.flatnonzero((tokens > 0).all(axis=1))
    if len(whole) == 0:
        whole = np.arange(plan.num_steps)
    return PlanSummary(
        strategy=plan.strategy,
        world_size=plan.world_size,
        packs_per_step=plan.packs_per_step,
        num_steps=plan.num_steps,
        num_packs=plan.num_packs,
        num_empty_packs=int(np.count_nonzero(tokens == 0)),
        fill=plan.fill(),
        working_share=plan.working_share(),
        long_from=long_from,
        sequences_mean=float(sequences[whole].mean()),
        sequences_spread=spread(sequences[whole]),
        sequences_min=int(sequences[whole].min()),
        sequences_max=int(sequences[whole].max()),
        long_share_mean=float(long_share[whole].mean()),
        long_share_spread=spread(long_share[whole]),
        long_token_share_spread=spread(long_tokens[whole]),
        target_share=float(num_targets.sum() / lengths.sum()),
    )


def spread(values: np.ndarray) -> float:
    """Coefficient of variation, std / mean; 0 where the mean is 0."""
    mean = float(np.mean(values))
    return float(np.std(values)) / mean if mean else 0.0


@dataclass(frozen=True)
class LengthBuckets:
    """Sequences of edges[b] <= length < edges[b + 1] (the last bucket is open): shares float64[B], each sums to 1.

    sequences, tokens, targets: of the data. loss: for each loss mode, the share of the epoch's loss (and gradient, at
    equal cross-entropy) that the bucket's sequences carry: who owns the gradient.
    """

    edges: tuple[int, ...]
    counts: np.ndarray
    sequences: np.ndarray
    tokens: np.ndarray
    targets: np.ndarray
    loss: dict[str, np.ndarray]


def length_buckets(
    plan: BatchPlan, lengths: np.ndarray, num_targets: np.ndarray, edges: tuple[int, ...]
) -> LengthBuckets:
    """Histogram of lengths and each bucket's share of the loss under `sequence`, `token` and `pack` weighting.

    A step's loss is sum(w * ce) / M, and each step moves the model alike, so a sequence in step s carries 1 / M_s
    (sequence), N_i / M_s (token) or N_i / N_pack / M_s (pack) of it: see `BatchPlan.step_*`.

    edges: where the buckets begin, rising from 0; those above the longest sequence are left out.
    """
    edges = tuple(edge for edge in edges if edge <= lengths.max())
    bucket = np.searchsorted(edges, lengths, side="right") - 1

    def shares(values: np.ndarray) -> np.ndarray:
        sums = np.bincount(bucket, weights=values, minlength=len(edges))
        return sums / max(sums.sum(), 1e-300)

    loss = {mode: shares(weights) for mode, weights in sequence_loss_weights(plan, num_targets).items()}
    counts = np.bincount(bucket, minlength=len(edges))
    return LengthBuckets(edges, counts, shares(np.ones(len(lengths))), shares(lengths), shares(num_targets), loss)


def sequence_loss_weights(plan: BatchPlan, num_targets: np.ndarray) -> dict[str, np.ndarray]:
    """For each loss mode, float64[n]: the weight of each sequence's mean cross-entropy in the loss of its step."""
    pack_of = np.repeat(np.arange(plan.num_packs), np.diff(plan.pack_offsets))
    step_of = pack_of // plan.packs_per_step
    targets = num_targets[plan.order].astype(np.float64)
    pack_targets = np.bincount(pack_of, weights=targets, minlength=plan.num_packs)
    in_order = {
        "sequence": (targets > 0) / np.maximum(plan.step_sequences, 1)[step_of],
        "token": targets / np.maximum(plan.step_targets, 1)[step_of],
        "pack": targets / np.maximum(pack_targets, 1)[pack_of] / np.maximum(plan.step_packs, 1)[step_of],
    }
    weights = {mode: np.empty(len(targets)) for mode in in_order}
    for mode, values in in_order.items():
        weights[mode][plan.order] = values
    return weights
