"""A comparison's files: compare.md, .csv, .html and .json."""

import json
from pathlib import Path
from typing import Any

from longalign.evaluation.longbench_chat.compare import Comparison
from longalign.evaluation.longbench_chat.page import page
from longalign.evaluation.longbench_chat.statistics import Estimate
from longalign.evaluation.longbench_chat.tables import csv_rows, markdown
from longalign.files import write_text


def write(comparison: Comparison, folder: str | Path) -> list[Path]:
    """Write compare.md, compare.csv, compare.html and compare.json into a folder; returns their paths."""
    target = Path(folder).expanduser()
    target.mkdir(parents=True, exist_ok=True)
    texts = {
        "md": markdown(comparison),
        "csv": csv_rows(comparison),
        "html": page(comparison),
        "json": json.dumps(_plain(comparison), indent=2, ensure_ascii=False) + "\n",
    }
    files = [target / f"compare.{suffix}" for suffix in texts]
    for file, text in zip(files, texts.values(), strict=True):
        write_text(file, text)
    return files


def _plain(comparison: Comparison) -> dict[str, Any]:
    def estimate(found: Estimate) -> dict[str, Any]:
        return {"n": found.n, "mean": found.mean, "low": found.low, "high": found.high}

    return {
        "judge": comparison.runs[0].setup,
        "runs": [
            {"name": run.name, "model": run.rows[0]["model"], "ratings": len(run.rows), "unrated_cases": run.unrated}
            for run in comparison.runs
        ],
        "means": [{"run": line.run, "group": line.group} | estimate(line.estimate) for line in comparison.lines],
        "pairs": [
            {"first": pair.first, "second": pair.second, "verdict": pair.verdict}
            | {"wins": pair.difference.wins, "ties": pair.difference.ties, "losses": pair.difference.losses}
            | estimate(pair.difference.estimate)
            for pair in comparison.pairs
        ],
        "notes": comparison.notes,
    }
