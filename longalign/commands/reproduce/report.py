"""Formatting the figures as Markdown tables, and drawing the models' heat maps side by side."""

import math
from pathlib import Path
from typing import Any

from longalign.commands.reproduce.figures import Models
from longalign.commands.reproduce.recipe import BATCHING, SHARES, TASKS
from longalign.markdown import table


def report(models: Models) -> str:
    """All Markdown tables: recall by task and length, held-out loss by source and length, figures of the training."""
    losses = [loss_table(models, group) for group in ("source", "length")]
    tables = [*(recall_table(models, task) for task in TASKS), *losses, training_table(models)]
    return "\n\n".join(tables) + "\n"


def recall_table(models: Models, task: str) -> str:
    """A row for each model, a column for each length: recall with its 95 % interval."""
    rows = {name: model["needle"][task] for name, model in models.items() if task in model.get("needle", {})}
    lengths = sorted({length for row in rows.values() for length in row["by_length"]}, key=int)
    lines = [
        [name, *(interval(row["by_length"].get(length)) for length in lengths), f"{row['effective_length'] or 0:,}"]
        for name, row in rows.items()
    ]
    return table([f"recall of `{task}`", *(f"{int(length):,}" for length in lengths), "effective length"], lines)


def loss_table(models: Models, group: str) -> str:
    """A row for each model, a column for each source or range of lengths. group: `source` or `length`."""
    losses = {name: model["held_out"] for name, model in models.items() if "held_out" in model}
    keys = list(dict.fromkeys(key for row in losses.values() for key in row if key.startswith(f"loss_{group}/")))
    lines = [[name, *(number(row.get(key)) for key in keys)] for name, row in losses.items()]
    return table([f"held-out loss by {group}", *(key.partition("/")[2] for key in keys)], lines)


def training_table(models: Models) -> str:
    """A row for each run; for the ways of batching also their time as a share of `naive`'s (the paper's Figure 5).

    Runs of `SHARES` have no times, because several of them may have had the same GPU.
    """
    runs = {name: model["training"] for name, model in models.items() if "training" in model}
    amounts, speeds = ("steps", "sequences", "tokens", "peak_gib"), ("seconds", "tokens_per_s")
    lines = []
    for name, row in runs.items():
        timed = name not in SHARES
        mfu = f"{row['mfu']:.3f}" if timed and "mfu" in row else "–"
        beside = (
            f"{row['seconds'] / runs['naive']['seconds']:.2f}"
            if {name, "naive"} <= BATCHING.keys() & runs.keys()
            else "–"
        )
        measured = [f"{row[key]:,.0f}" if timed else "–" for key in speeds]
        lines.append([name, *(f"{row[key]:,.0f}" for key in amounts), *measured, mfu, beside])
    return table(["training", *amounts, *speeds, "MFU", "time / naive's"], lines)


def number(value: float | None) -> str:
    """A loss as text; a dash for None."""
    return "–" if value is None else f"{value:.4f}"


def interval(row: dict[str, Any] | None) -> str:
    """Recall with its 95 % interval as text: `0.93 (0.88-0.96)`; a dash for None."""
    return f"{row['recall']:.2f} ({row['low']:.2f}-{row['high']:.2f})" if row else "–"


def draw(models: Models, file: Path) -> Any:
    """Draw the heat map of each model's needle test, side by side; returns the figure, None if there is no test."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure

    from longalign.evaluation.needle.heatmap import COLOURS

    tests = {name: model["needle"]["single"] for name, model in models.items() if "single" in model.get("needle", {})}
    if not tests:
        return None
    figure = Figure(figsize=(1.2 + 2.7 * len(tests), 3.2), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(tests), squeeze=False)[0]
    for axis, (name, test) in zip(axes, tests.items(), strict=True):
        lengths, depths = (sorted({cell[place] for cell in test["cells"]}) for place in (0, 1))
        recall = {(length, depth): value for length, depth, value in test["cells"]}
        grid = [
            [math.nan if (value := recall[length, depth]) is None else value for length in lengths] for depth in depths
        ]
        colours = LinearSegmentedColormap.from_list("recall", COLOURS)
        picture = axis.imshow(grid, cmap=colours, vmin=0, vmax=1, aspect="auto")
        axis.set_title(name.replace("_", " "), fontsize=11, loc="left")
        axis.set_xticks(range(len(lengths)), [f"{length / 1000:.3g}k" for length in lengths], fontsize=8)
        axis.set_yticks(range(len(depths)), [f"{depth:g}" for depth in depths], fontsize=8)
    axes[0].set_ylabel("depth of the needle in %")
    figure.supxlabel("length in tokens", fontsize=10)
    figure.colorbar(picture, ax=axes, label="recall", fraction=0.02)
    figure.savefig(file)
    return figure
