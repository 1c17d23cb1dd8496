"""Tables and text on stdout: in colour in a terminal, in plain lines for grep and diff in a pipe."""

import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console, RenderableType
from rich.table import Table

UNWRAPPED = 100_000  # width in columns for a pipe, so that nothing is cut or wrapped


def make_console(width: int | None = None) -> Console:
    """A console on stdout. width: in columns; by default the terminal's, and in a pipe no limit."""
    if width is None and not sys.stdout.isatty():
        width = UNWRAPPED
    return Console(file=sys.stdout, width=width, highlight=False, soft_wrap=False)


def show(console: Console, *parts: RenderableType) -> None:
    """Print the parts; in a pipe without blanks at the ends of lines."""
    if console.is_terminal:
        console.print(*parts, sep="\n")
        return
    with console.capture() as captured:
        console.print(*parts, sep="\n")
    print("\n".join(line.rstrip() for line in captured.get().splitlines()), flush=True)


def make_table(*headings: str) -> Table:
    """A table without rules, whose first column is aligned to the left, the others to the right."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", show_edge=False)
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="left" if number == 0 else "right", no_wrap=True)
    return table


def reason_texts(report: Mapping[str, Any]) -> list[str]:
    """What the tokeniser dropped, cut or repaired of a source, the most frequent first: "3 × too long (dropped)".

    report: with the counts ``dropped`` and ``events`` by reason. What is no count, in an edited file, is left out.
    """
    found = []
    for what in ("dropped", "events"):
        counts = report.get(what)
        items = counts.items() if isinstance(counts, Mapping) else ()
        known = [(str(reason), count) for reason, count in items if isinstance(count, int)]
        for reason, count in sorted(known, key=lambda item: -item[1]):
            found.append(f"{count:,} × {reason.replace('_', ' ')}{' (dropped)' if what == 'dropped' else ''}")
    return found


def percent(share: float) -> str:
    """``0.123 -> "12.3%"``."""
    return f"{100 * share:.1f}%"
