"""The figures of a case as a line of text, and those of one or more calls as a chart."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from longalign.commands.benchmark_gpu.cases import LOSSES, PEER, Case

Row = dict[str, Any]
"""The figures of a case, or under ``failed`` why there are none."""


def describe(row: Row, gemm: float) -> str:
    """The line that is printed for a row of results. gemm: TFLOP/s of `gemm_tflops`."""
    if "failed" in row:
        return f"{row['case']}: failed: {row['failed']}"
    if row["case"] == LOSSES:
        curve = f"{row['losses'][0]:.4f} to {row['losses'][-1]:.4f}, TRL's {row['trl_losses'][-1]:.4f}"
        return f"{LOSSES}: {curve}, at most {row['largest_relative_difference']:.2%} apart in any step"
    line = f"{row['case']}: "
    if "tflops_per_s_per_gpu" in row:  # missing on an unknown GPU
        line += f"{row['tflops_per_s_per_gpu']:.0f} TFLOP/s a GPU ({row['tflops_per_s_per_gpu'] / gemm:.0%} of GEMM), "
    line += f"{row['tokens_per_s']:,.0f} tokens/s, peak {row['peak_gib']:.1f} GiB"
    if "predicted_gib" in row:
        line += f" (predicted {row['predicted_gib']:.1f})"
    if "predicted_seconds_per_step" in row:
        line += f", {row['seconds_per_step']:.2f} s a step (predicted {row['predicted_seconds_per_step']:.2f})"
    if row.get("data") == "longalign" and "working_share" in row:
        line += f", working share {row['working_share']:.2f} by the plan"
    if "loader_wait_share" in row:
        line += f", {row['loader_wait_share']:.2%} waiting for data"
    return line


def charted(results: Sequence[dict[str, Any]]) -> list[Row]:
    """The rows with TFLOP/s, which failed cases and unknown GPUs do not have; of a case that has several the last.

    results: of each call.
    """
    measured = (row for result in results for row in result["rows"] if "tflops_per_s_per_gpu" in row)
    return list({row["case"]: row for row in measured}.values())


def draw(results: Sequence[dict[str, Any]], file: Path) -> None:
    """Draw bars of TFLOP/s for each GPU, and a line for the matrix multiplication (the mean of all calls)."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = charted(results)[::-1]
    gemm = statistics.mean(result["gemm_tflops"] for result in results)
    figure, axes = plt.subplots(figsize=(8, 0.9 + 0.42 * len(rows)), layout="constrained")
    values = [row["tflops_per_s_per_gpu"] for row in rows]
    colours = ["#9aa5b1" if row["case"] == PEER else "#2f6f9f" for row in rows]
    axes.barh([row["case"] for row in rows], values, color=colours, height=0.7)
    for height, (value, row) in enumerate(zip(values, rows, strict=True)):
        label = f"{row.get('max_length', Case.max_length) // 1024}k   {value:.0f}   peak {row['peak_gib']:.0f} GiB "
        axes.text(value, height, label, color="white", fontsize=9, ha="right", va="center")
    axes.axvline(gemm, color="#c04b37", linewidth=1.5)
    axes.text(gemm, len(rows) - 0.45, "GEMM 8192³ ", color="#c04b37", ha="right", va="bottom")
    axes.set_xlabel("model TFLOP/s a GPU (causal, per document, recomputation not counted)")
    cards = ", ".join(sorted({result["gpu"] for result in results}))
    axes.set_title(f"longalign fit (grey: TRL's SFTTrainer) on {cards}", fontsize=11, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=150)
