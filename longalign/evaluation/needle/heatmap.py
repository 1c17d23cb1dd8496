"""Draw a test's heat map: recall and n of each length and depth, and the means of both with their intervals."""

import io
from pathlib import Path
from typing import Any

import numpy as np

from longalign.errors import UserError
from longalign.files import write_bytes

COLOURS = ("#a50026", "#f46d43", "#fee090", "#abd9e9", "#4575b4")
"""Colours of recalls from 0 to 1; people who cannot tell red from green can tell these apart."""

UNKNOWN = "#dddddd"
"""Colour of a cell without a row."""


def colour(recall: float | None) -> tuple[str, str]:
    """Background and text colour of a recall, as #rrggbb."""
    if recall is None:
        return UNKNOWN, "#333333"
    place = min(max(recall, 0.0), 1.0) * (len(COLOURS) - 1)
    low = min(int(place), len(COLOURS) - 2)
    ends = [[int(code[i : i + 2], 16) for i in (1, 3, 5)] for code in COLOURS[low : low + 2]]
    mixed = [round(a + (b - a) * (place - low)) for a, b in zip(*ends, strict=True)]
    light = (0.299 * mixed[0] + 0.587 * mixed[1] + 0.114 * mixed[2]) / 255
    return "#" + "".join(f"{part:02x}" for part in mixed), "#111111" if light > 0.5 else "#ffffff"


def draw_heatmap(summary: dict[str, Any], title: str, file: Path) -> None:
    """Write the picture as a PNG.

    Raises:
        UserError: matplotlib is not installed.
    """
    try:
        figure = _figure(summary, title)
    except ImportError:
        raise UserError("heatmap.png needs matplotlib: pip install longalign[plot]") from None
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    write_bytes(file, picture.getvalue())


def heatmap_image(summary: dict[str, Any], title: str) -> np.ndarray | None:
    """The picture as an uint8 array ``[height, width, 3]``; None without matplotlib."""
    try:
        figure = _figure(summary, title)
    except ImportError:
        return None
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()


def _figure(summary: dict[str, Any], title: str) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    lengths, depths = summary["lengths"], summary["depths"]
    figure = Figure(figsize=(3.6 + 0.85 * len(lengths), 3.4 + 0.5 * len(depths)), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    ratios = {"width_ratios": [max(len(lengths), 3), 2.2], "height_ratios": [2.6, max(len(depths), 3)]}
    top, corner, main, right = figure.subplots(2, 2, gridspec_kw=ratios).ravel()
    figure.suptitle(title, fontsize=12)
    _cells(main, summary)
    _margin(top, summary["by_length"], "length", lengths, summary["effective_length"], flat=True)
    _margin(right, summary["by_depth"], "depth", depths, None, flat=False)
    corner.axis("off")
    corner.text(0, 0.5, _headline(summary), fontsize=10, va="center", wrap=True)
    return figure


def _cells(axes: Any, summary: dict[str, Any]) -> None:
    lengths, depths = summary["lengths"], summary["depths"]
    known = {(cell["length"], cell["depth"]): cell for cell in summary["cells"]}
    axes.set(xlim=(-0.5, len(lengths) - 0.5), ylim=(len(depths) - 0.5, -0.5))
    axes.set(xlabel="length in tokens", ylabel="depth of the needle in %")
    axes.set_xticks(range(len(lengths)), [f"{length:,}" for length in lengths], rotation=30, ha="right")
    axes.set_yticks(range(len(depths)), [f"{depth:g}" for depth in depths])
    from matplotlib.patches import Rectangle

    for x, length in enumerate(lengths):
        for y, depth in enumerate(depths):
            cell = known.get((length, depth))
            back, ink = colour(cell["recall"] if cell else None)
            axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=back, edgecolor="white", linewidth=1.5))
            text = f"{cell['recall']:.2f}" if cell else "no row"
            axes.text(x, y - 0.1, text, ha="center", va="center", color=ink, fontsize=10)
            if cell:
                axes.text(x, y + 0.28, f"n={cell['n']}", ha="center", va="center", color=ink, fontsize=7)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)


def _margin(
    axes: Any, rows: list[dict[str, Any]], name: str, ticks: list[Any], effective: dict[str, Any] | None, flat: bool
) -> None:
    """Mean recalls with 95 % intervals: above the columns if `flat`, else beside the rows."""
    places = [ticks.index(row[name]) for row in rows]
    means = [row["recall"] for row in rows]
    errors = [[row["recall"] - row["low"] for row in rows], [row["high"] - row["recall"] for row in rows]]
    style = {"fmt": "o", "color": "#222222", "capsize": 3, "markersize": 4}
    if flat:
        axes.errorbar(places, means, yerr=errors, **style)
        axes.set(xlim=(-0.5, len(ticks) - 0.5), ylim=(-0.05, 1.05), ylabel="recall, 95 %", xticks=[])
        axes.grid(axis="y", alpha=0.3)
        if effective and effective["threshold"] is not None:
            axes.axhline(effective["threshold"], color="#a50026", linewidth=1, linestyle="--")
    else:
        axes.errorbar(means, places, xerr=errors, **style)
        axes.set(ylim=(len(ticks) - 0.5, -0.5), xlim=(-0.05, 1.05), xlabel="recall, 95 %", yticks=[])
        axes.grid(axis="x", alpha=0.3)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _headline(summary: dict[str, Any]) -> str:
    length = summary["effective_length"]["length"]
    recall = summary["recall"]["recall"]
    first = "effective length\nnone" if length is None else f"effective length\n{length:,} tokens"
    return first + ("" if recall is None else f"\n\nrecall {recall:.2f}")
