"""Computing the figures of ``longalign plan``, as one JSON object: data, lengths, shares of the loss, plan, strategies.

Shares, fill and working share are 0-1; spreads are std / mean over steps; lengths are tokens.
"""

from dataclasses import asdict
from typing import Any

import numpy as np

from longalign.data.buckets import LengthRange, length_ranges
from longalign.data.datamodule import LongAlignData
from longalign.data.mixture import Mixture
from longalign.data.plan import ONE_SEQUENCE_A_PACK, STRATEGIES, BatchPlan, SequenceCost, plan_batches
from longalign.data.plan_report import length_buckets, sequence_loss_weights, summarize

NUM_BUCKETS = 8

Weights = dict[str, np.ndarray]  # float64 [n] of each loss mode, see `sequence_loss_weights`


def plan_figures(data: LongAlignData, plans: list[BatchPlan], held_out: Mixture, cost: SequenceCost) -> dict[str, Any]:
    """All figures of `data` and its plans, JSON-ready. Loss shares are of the first epoch."""
    mixture = data.mixture
    assert mixture is not None
    lengths, num_targets = mixture.lengths, mixture.num_targets
    weights = sequence_loss_weights(plans[0], num_targets)
    return {
        "sources": source_figures(data, mixture, held_out, weights),
        "lengths": length_figures(plans[0], mixture),
        "heaviest_tenth": {mode: _share_of_heaviest(values, 0.1) for mode, values in weights.items()},
        "plan": {
            **_summary(plans[0], mixture),
            "loss": data.loss,
            "max_length": data.max_length,
            "epochs": data.epochs,
            "seed": data.seed,
            "steps_by_epoch": [plan.num_steps for plan in plans],
            "total_steps": sum(plan.num_steps for plan in plans),
            "sequences": len(mixture),
            "tokens": int(lengths.sum()),
            "targets": int(num_targets.sum()),
        },
        "strategies": strategy_figures(plans[0], mixture, cost, data.seed),
    }


def source_figures(
    data: LongAlignData, mixture: Mixture, held_out: Mixture, weights: Weights | None = None
) -> list[dict[str, Any]]:
    """One dict for each source: rows read, dropped and cut (by reason), held out, in the mix; its share of the loss.

    A source with buckets also has `buckets`, one dict for each range of lengths, and `outside`, the rows in no range.
    """
    table = []
    for number, (source, mixed) in enumerate(zip(mixture.sources, mixture.summary(), strict=True)):
        report, name, mine = source.report, mixed["name"], mixture.source_ids == number
        row = {
            **mixed,
            "rows": report["rows"],
            "dropped": report["dropped"],
            "events": report["events"],
            "held_out": int(np.count_nonzero(held_out.source_ids == number)),
            "held_out_documents": held_out.num_documents(number),
            **_loss_shares(mine, weights),
        }
        if buckets := data.sources[name].buckets:
            row["buckets"] = [
                _bucket_figures(bucket, span, number, mixture, held_out, weights)
                for bucket, span in length_ranges(buckets, f"data.{name}.buckets").items()
            ]
            row["outside"] = _outside_figures(data.outside_buckets[name])
        table.append(row)
    return table


def _bucket_figures(
    name: str,
    span: LengthRange,
    number: int,
    mixture: Mixture,
    held_out: Mixture,
    weights: Weights | None,
) -> dict[str, Any]:
    """The figures of one range of lengths of the source `number`. `rows` counts those that the tokeniser kept."""
    mine = (mixture.source_ids == number) & span.holds(mixture.lengths)
    return {
        "name": name,
        "from": span.low,
        "below": span.below,
        "rows": int(np.count_nonzero(span.holds(mixture.sources[number].lengths))),
        "held_out": int(np.count_nonzero((held_out.source_ids == number) & span.holds(held_out.lengths))),
        **mixture.figures(mine),
        **_loss_shares(mine, weights),
    }


def _outside_figures(lengths: np.ndarray) -> dict[str, int]:
    ends = {"shortest": int(lengths.min()), "longest": int(lengths.max())} if len(lengths) else {}
    return {"rows": len(lengths), **ends}


def _loss_shares(mine: np.ndarray, weights: Weights | None) -> dict[str, Any]:
    if weights is None:
        return {}
    return {"loss": {mode: float(w[mine].sum() / max(w.sum(), 1e-300)) for mode, w in weights.items()}}


def length_figures(plan: BatchPlan, mixture: Mixture) -> dict[str, Any]:
    """Quantiles of the lengths, and a histogram: for each range its share of sequences, tokens, targets and losses."""
    lengths = mixture.lengths
    longest = int(lengths.max())
    powers = [1 << k for k in range(4, longest.bit_length())]  # 16 … the last one that is not above the longest
    edges = (0, *powers[-(NUM_BUCKETS - 1) :])
    found = length_buckets(plan, lengths, mixture.num_targets, edges)
    buckets = [
        {
            "from": edge,
            "below": found.edges[number + 1] if number + 1 < len(found.edges) else None,
            "count": int(found.counts[number]),
            "share_of_sequences": float(found.sequences[number]),
            "share_of_tokens": float(found.tokens[number]),
            "share_of_targets": float(found.targets[number]),
            "loss": {mode: float(shares[number]) for mode, shares in found.loss.items()},
        }
        for number, edge in enumerate(found.edges)
    ]
    names = ("shortest", "median", "p90", "p99", "longest")
    quantiles = np.quantile(lengths, (0, 0.5, 0.9, 0.99, 1), method="lower").astype(int).tolist()
    return {**dict(zip(names, quantiles, strict=True)), "mean": float(lengths.mean()), "buckets": buckets}


def strategy_figures(configured: BatchPlan, mixture: Mixture, cost: SequenceCost, seed: int) -> list[dict[str, Any]]:
    """A summary of each strategy's first epoch, with about as many sequences in a step as the configured plan has."""
    rows = []
    for strategy in STRATEGIES:
        plan = configured
        if strategy != configured.strategy:
            plan = plan_batches(
                mixture.lengths,
                mixture.num_targets,
                strategy=strategy,
                max_length=configured.max_length,
                packs_per_step=_packs_per_step(strategy, configured, mixture),
                world_size=configured.world_size,
                seed=seed,
                cost=cost,
            )
        rows.append({**_summary(plan, mixture), "configured": plan is configured})
    return rows


def _packs_per_step(strategy: str, configured: BatchPlan, mixture: Mixture) -> int:
    """How many packs of `strategy` have about as many sequences as a step of the configured plan; a multiple of ranks.

    For example, 8 packs of 12 sequences with `packing` correspond to 96 packs of one sequence with `naive`.
    """
    single, was_single = strategy in ONE_SEQUENCE_A_PACK, configured.strategy in ONE_SEQUENCE_A_PACK
    if single == was_single:
        return configured.packs_per_step
    sequences_a_pack = len(mixture) * configured.max_length / mixture.lengths.sum()  # of full packs
    if single:
        sequences_a_pack = len(mixture) / np.count_nonzero(configured.pack_tokens)
    factor = sequences_a_pack if single else 1 / sequences_a_pack
    ranks = configured.world_size
    return ranks * max(1, round(configured.packs_per_step * factor / ranks))


def _summary(plan: BatchPlan, mixture: Mixture) -> dict[str, Any]:
    return asdict(summarize(plan, mixture.lengths, mixture.num_targets))


def _share_of_heaviest(weights: np.ndarray, fraction: float) -> float:
    count = max(1, round(len(weights) * fraction))
    return float(np.partition(weights, -count)[-count:].sum() / max(weights.sum(), 1e-300))
