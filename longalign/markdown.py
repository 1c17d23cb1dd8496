"""Texts of models, files and users as Markdown: a table that can also be read in a terminal, and escaping."""

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table, without a newline at its end. Every cell is escaped, and padded to the width of its column.

    Each row has as many cells as `head`.
    """
    cells = [[escape(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    cells.insert(1, ["-" * max(width, 3) for width in widths])
    lines = (" | ".join(cell.ljust(max(width, 3)) for cell, width in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(f"| {line} |" for line in lines)


def escape(text: str) -> str:
    """A text on one line, in which HTML and the separators of tables are no markup."""
    return " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
