"""What a run was trained on, in ``data.json`` beside its config: hashes, counts and the plan.

The cache that holds the tokens may be gone when the run is looked at.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from longalign.data.buckets import length_ranges
from longalign.data.datamodule import LongAlignData
from longalign.data.mixture import Mixture
from longalign.data.tokenized import TokenizedSource
from longalign.files import write_json

FILE = "data.json"


def write_data_record(folder: Path, data: LongAlignData) -> None:
    """Write the file into a run's folder; `data` is set up."""
    write_json(folder / FILE, data_record(data))


def data_record(data: LongAlignData) -> dict[str, Any]:
    """Sources (where from, sha256 of their bytes, what the tokeniser counted, what is in the mix) and the plan."""
    mixture = data.mixture
    assert mixture is not None
    sources = [
        {**figures, **_source(data, mixture, number), **_identity(source), "report": source.report}
        for number, (figures, source) in enumerate(zip(mixture.summary(), mixture.sources, strict=True))
    ]
    return {"sources": sources, "plan": _plan(data)}


def _source(data: LongAlignData, mixture: Mixture, number: int) -> dict[str, Any]:
    """How much of source ``number`` is in each bucket, held out, and in no bucket."""
    return {
        "buckets": _buckets(data, mixture, number),
        "held_out": int(np.count_nonzero(data.held_out.source_ids == number)),
        "held_out_documents": data.held_out.num_documents(number),
        "outside_buckets": len(data.outside_buckets[mixture.names[number]]),
    }


def _plan(data: LongAlignData) -> dict[str, Any]:
    """What the steps hold: a digest for each epoch, the settings, and shares (0-1) of the first epoch."""
    first = data.plans[0]
    return {
        "digests": [plan.digest for plan in data.plans],
        "strategy": first.strategy,
        "loss": data.loss,
        "max_length": first.max_length,
        "packs_per_step": first.packs_per_step,
        "steps": data.num_steps,
        "steps_of_the_run": data.total_steps,
        "epochs": data.epochs,
        "fill": first.fill(),
        "working_share": first.working_share(),
    }


def _buckets(data: LongAlignData, mixture: Mixture, number: int) -> list[dict[str, Any]]:
    """For each bucket of source ``number``, what the mix has of it; empty for a source without buckets."""
    name = mixture.names[number]
    buckets = data.sources[name].buckets
    ranges = length_ranges(buckets, f"data.{name}.buckets") if buckets else {}
    return [
        {"name": bucket, **mixture.figures((mixture.source_ids == number) & span.holds(mixture.lengths))}
        for bucket, span in ranges.items()
    ]


def _identity(source: TokenizedSource) -> dict[str, Any]:
    """The cache folder's name, and the path and digests (data's bytes, tokenizer, code) that it was made from."""
    return {"cache": source.folder.name, **json.loads((source.folder / "key.json").read_text(encoding="utf-8"))}
