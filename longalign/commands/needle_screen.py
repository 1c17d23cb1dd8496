"""A needle test's summary as a table in the terminal: recall by length and depth, in the heat map's colours."""

from typing import Any

from rich.table import Table
from rich.text import Text

from longalign.commands.screen import make_table
from longalign.evaluation.needle.heatmap import colour


def grid_table(summary: dict[str, Any]) -> Table:
    """The table: a row for each depth, a column for each length; the last row and column are means."""
    table = make_table("depth", *(f"{length:,}" for length in summary["lengths"]), "all")
    known = {(cell["length"], cell["depth"]): cell["recall"] for cell in summary["cells"]}
    by_depth = {row["depth"]: row["recall"] for row in summary["by_depth"]}
    by_length = {row["length"]: row["recall"] for row in summary["by_length"]}
    for depth in summary["depths"]:
        cells = [_cell(known.get((length, depth))) for length in summary["lengths"]]
        table.add_row(f"{depth:g} %", *cells, _plain(by_depth.get(depth)))
    margins = [_plain(by_length.get(length)) for length in summary["lengths"]]
    table.add_row("all", *margins, _plain(summary["recall"]["recall"]))
    return table


def _cell(recall: float | None) -> Text:
    back, ink = colour(recall)
    return Text(f" {_plain(recall)} ", style=f"{ink} on {back}")


def _plain(recall: float | None) -> str:
    return "-" if recall is None else f"{recall:.2f}"
