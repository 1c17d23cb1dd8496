"""What a run asked for, kept and dropped: a table for people and the same as JSON."""

from typing import Any

from longalign.data.synthesis.rows import Cell, Result


def table(result: Result) -> str:
    """A Markdown table by bucket, task and language; reasons that never occurred have no column."""
    reasons = [reason for reason, _ in result.reasons().most_common()]
    head = ["bucket", "task", "language", "asked", "kept", *reasons]
    rows = [head, ["---"] * 3 + ["---:"] * (len(head) - 3)]
    for cell, asked in result.asked.items():
        rows.append([*cell, str(asked), str(result.kept[cell]), *_counts(result, cell, reasons)])
    total = result.reasons()
    sums = [sum(result.asked.values()), sum(result.kept.values()), *(total[reason] for reason in reasons)]
    rows.append(["all", "", "", *map(str, sums)])
    widths = [max(len(row[n]) for row in rows) for n in range(len(head))]
    lines = []
    for number, row in enumerate(rows):
        cells = [
            ("-" * (width - 1) + text[-1] if number == 1 else text.ljust(width) if n < 3 else text.rjust(width))
            for n, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(f"| {' | '.join(cells)} |\n")
    return "".join(lines)


def as_json(result: Result) -> dict[str, Any]:
    """The table's figures, and the tokens of all the replies that it is made of."""
    cells = [
        {
            "bucket": cell[0],
            "task": cell[1],
            "language": cell[2],
            "asked": asked,
            "kept": result.kept[cell],
            "dropped": dict(result.dropped.get(cell, {})),
        }
        for cell, asked in result.asked.items()
    ]
    return {
        "asked": sum(result.asked.values()),
        "kept": len(result.rows),
        "dropped": dict(result.reasons()),
        "calls": result.calls,
        "tokens_in": result.tokens_in,
        "tokens_out": result.tokens_out,
        "cells": cells,
    }


def _counts(result: Result, cell: Cell, reasons: list[str]) -> list[str]:
    dropped = result.dropped.get(cell, {})
    return [str(dropped.get(reason, 0)) for reason in reasons]
