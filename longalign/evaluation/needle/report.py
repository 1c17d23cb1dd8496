"""Write the reports of a test: `summary.json`, `results.csv`, `heatmap.png` and `report.html`."""

import csv
import html
import io
import json
import logging
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from longalign.counted import counted
from longalign.errors import UserError
from longalign.evaluation.needle.heatmap import colour, draw_heatmap
from longalign.evaluation.needle.statistics import OFF, summarise
from longalign.files import read_json, write_json, write_text
from longalign.records import FAILED

log = logging.getLogger(__name__)

COLUMNS = (
    "key", "status", "task", "language", "length", "depth", "seed", "tokens", "reached", "recall", "exact", "found",
    "answers", "wrong", "answer", "ended", "new_tokens", "seconds", "error",
)  # fmt: skip


def write_reports(
    out: Path, rows: Sequence[Mapping[str, Any]], settings: Mapping[str, Any], more: Mapping[str, Any]
) -> dict[str, Any]:
    """Write the four files and return the summary.

    `more` are further entries of the summary: seconds, versions, a judge's ratings. If rows of cells are still missing,
    every report says that it is partial.
    """
    summary = {
        **summarise(rows),
        "planned": len(settings["lengths"]) * len(settings["depths"]) * settings["seeds"],
        "lengths": settings["lengths"],
        "depths": settings["depths"],
        "settings": dict(settings),
        **more,
    }
    write_json(out / "summary.json", summary)
    write_text(out / "results.csv", _csv(rows))
    title = describe(settings) + (f" (partial: {part})" if (part := _part(summary)) else "")
    write_text(out / "report.html", _page(title, summary, rows))
    try:
        draw_heatmap(summary, title, out / "heatmap.png")
    except UserError as error:  # matplotlib is not installed: the other reports are complete
        log.warning("%s", error)
    return summary


def last_run(out: Path, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Times and versions of the folder's last summary; a command that has no cell left to answer keeps them.

    A run that was killed before its summary leaves the versions in its rows, and no times.
    """
    file = out / "summary.json"
    before = read_json(file) if file.exists() else {}
    recipes = [row["recipe"] for row in rows if "recipe" in row]
    versions = {"versions": recipes[-1]["versions"]} if recipes else {}
    return versions | {name: before[name] for name in ("seconds", "model_share", "asked", "versions") if name in before}


def describe(settings: Mapping[str, Any]) -> str:
    """A title of a test: task, language, model."""
    who = Path(str(settings["model"])).name or settings["model"]
    compat = " (as LongAlign's own test)" if settings["compat"] != "none" else ""
    return f"Needle test, {settings['task']}, {settings['language']}: {who}{compat}"


def _part(summary: Mapping[str, Any]) -> str:
    """How many of a test's prompts have been asked, in words; empty if all have."""
    done, planned = summary["prompts"], summary["planned"]
    return f"{done} of {planned} prompts" if done < planned else ""


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([_text(row.get(column)) for column in COLUMNS])
    return stream.getvalue()


def _text(value: Any) -> Any:
    return "; ".join(map(str, value)) if isinstance(value, list) else "" if value is None else value


def _page(title: str, summary: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    page = resources.files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    parts = {
        "TITLE": html.escape(title),
        "HEADLINE": html.escape(headline(summary)),
        "NOTES": "".join(f"<li>{html.escape(note)}</li>" for note in notes(summary)),
        "GRID": _grid(summary),
        "SETTINGS": html.escape(json.dumps(summary["settings"], indent=2, ensure_ascii=False)),
        # escaped, as a "<" could begin "</script>"
        "DATA": json.dumps(_details(rows), ensure_ascii=False).replace("<", "\\u003c"),
    }
    return re.sub(r"@([A-Z]+)@", lambda match: parts[match[1]], page)  # one pass: texts may hold such marks


def headline(summary: Mapping[str, Any]) -> str:
    """The test's result in one line: effective length, and recall with its interval."""
    effective, recall = summary["effective_length"], summary["recall"]
    if recall["recall"] is None:
        return "no results yet"
    length, reason = effective["length"], effective["reason"]
    text = "no effective length" if length is None else f"effective length {length:,} tokens"
    interval = f"recall {recall['recall']:.3f} ({recall['low']:.3f} to {recall['high']:.3f}), n={recall['n']}"
    return f"{text}{f' ({reason})' if reason else ''}; {interval}"


def notes(summary: Mapping[str, Any]) -> list[str]:
    """What a reader must know beside the headline, one line for each point."""
    found = []
    if part := _part(summary):
        found.append(f"partial: {part} asked so far; the same command goes on")
    if summary["failed"]:
        found.append(f"{summary['failed']} of {summary['prompts']} prompts failed; the same command tries them again")
    if off := summary.get("off_their_depth"):
        found.append(
            f"{counted(off, 'needle')} more than {OFF} % of the text away from the depth asked for, as no sentence "
            "ends there; results.csv has the depth reached"
        )
    if empty := summary.get("answers_empty"):
        found.append(f"{counted(empty, 'empty answer')} (thoughts are no part of an answer)")
    if cut := summary["answers_not_ended"]:
        found.append(f"{counted(cut, 'answer')} ended by max_new_tokens")
    if wrong := summary["answers_with_a_decoy"]:
        found.append(f"{counted(wrong, 'answer')} with a decoy's value")
    if judged := summary.get("judge"):
        mean = "none" if judged["mean_rating"] is None else f"{judged['mean_rating']:.2f} of 10"
        found.append(
            f"judge {judged['judge']}: mean rating {mean}, {judged['rated']} rated, {judged['unreadable']} unreadable, "
            f"{judged['failed']} failed" + (f", {judged['missing']} not asked" if judged["missing"] else "")
        )
    return found


def _grid(summary: Mapping[str, Any]) -> str:
    known = {(cell["length"], cell["depth"]): cell for cell in summary["cells"]}
    lines = ["<tr><th></th>" + "".join(f"<th>{length:,}</th>" for length in summary["lengths"]) + "<th>all</th></tr>"]
    by_depth = {row["depth"]: row for row in summary["by_depth"]}
    for depth in summary["depths"]:
        cells = [_square(known.get((length, depth)), length, depth) for length in summary["lengths"]]
        lines.append(f"<tr><th>{depth:g} %</th>{''.join(cells)}{_margin(by_depth.get(depth))}</tr>")
    by_length = {row["length"]: row for row in summary["by_length"]}
    margins = "".join(_margin(by_length.get(length)) for length in summary["lengths"])
    lines.append(f"<tr><th>all</th>{margins}{_margin(summary['recall'])}</tr>")
    return "\n".join(lines)


def _square(cell: Mapping[str, Any] | None, length: int, depth: float) -> str:
    back, ink = colour(cell["recall"] if cell else None)
    text = f"{cell['recall']:.2f}<small>n={cell['n']}</small>" if cell else "<small>no row</small>"
    style = f"background:{back};color:{ink}"
    return f'<td class="cell" tabindex="0" data-cell="{length}/{depth:g}" style="{style}">{text}</td>'


def _margin(row: Mapping[str, Any] | None) -> str:
    if row is None or row["recall"] is None:
        return '<td class="margin">–</td>'
    return f'<td class="margin">{row["recall"]:.2f}<small>{row["low"]:.2f}–{row["high"]:.2f}</small></td>'


def _details(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    shown: dict[str, list[dict[str, Any]]] = {}
    names = ("seed", "tokens", "reached", "recall", "question", "answers", "found", "wrong", "answer", "ended")
    for row in rows:
        kept = {name: row.get(name) for name in (*names, "needles", "around")}
        if row.get("status") == FAILED:
            kept = {"seed": row["seed"], "error": row["error"]}
        shown.setdefault(f"{row['length']}/{row['depth']:g}", []).append(kept)
    return shown
