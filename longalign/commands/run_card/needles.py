"""The needle section of a run's card: heat maps of the run's probe, and of tests by ``longalign needle``."""

import html
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from longalign.commands.run_card.folder import RunFolder
from longalign.errors import UserError
from longalign.evaluation.needle.heatmap import colour
from longalign.evaluation.needle.report import describe, headline
from longalign.evaluation.needle.statistics import summarise
from longalign.files import read_json

log = logging.getLogger(__name__)


def probe_maps(run: RunFolder) -> str:
    """Heat maps of the first and the last step at which the run probed needles."""
    steps = sorted({row["step"] for row in run.needles})
    maps = []
    for step in dict.fromkeys([*steps[:1], *steps[-1:]]):
        summary = summarise([row for row in run.needles if row["step"] == step])
        recall = summary["recall"]["recall"]
        maps.append(heat_map(summary, f"probe at step {step:,}: recall {recall:.2f}, n={summary['recall']['n']}"))
    return f'<div class="maps">{"".join(maps)}</div>' if maps else ""


def heat_map(summary: Mapping[str, Any], title: str) -> str:
    """A table of recall by length (columns) and depth (rows); the last row and column are means."""
    cells = {(cell["length"], cell["depth"]): cell for cell in summary["cells"]}
    lengths, depths = (sorted({place[axis] for place in cells}) for axis in (0, 1))
    by_length, by_depth = ({row[key]: row for row in summary[f"by_{key}"]} for key in ("length", "depth"))
    lines = ["<tr><th></th>" + "".join(f"<th>{length:,}</th>" for length in lengths) + "<th>all</th></tr>"]
    for depth in depths:
        squares = "".join(_square(cells.get((length, depth))) for length in lengths)
        lines.append(f"<tr><th>{depth:g} %</th>{squares}{_margin(by_depth.get(depth))}</tr>")
    margins = "".join(_margin(by_length.get(length)) for length in lengths)
    lines.append(f"<tr><th>all</th>{margins}{_margin(summary['recall'])}</tr>")
    return (
        f'<div class="map"><p>{html.escape(title)}</p><div class="scroll"><table class="heat">{"".join(lines)}</table>'
        "</div></div>"
    )


def _square(cell: Mapping[str, Any] | None) -> str:
    back, ink = colour(cell["recall"] if cell else None)
    text = "–" if cell is None else f"{cell['recall']:.2f}"
    note = "no row" if cell is None else f"n={cell['n']}, 95 %: {cell['low']:.2f} to {cell['high']:.2f}"
    return f'<td style="background:{back};color:{ink}" title="{note}">{text}</td>'


def _margin(row: Mapping[str, Any] | None) -> str:
    if row is None or row["recall"] is None:
        return '<td class="margin">–</td>'
    return f'<td class="margin" title="95 %: {row["low"]:.2f} to {row["high"]:.2f}">{row["recall"]:.2f}</td>'


@dataclass(frozen=True)
class NeedleTest:
    """A folder of ``longalign needle``, with its result in one line (`text`) and its heat map as HTML."""

    folder: Path
    text: str
    map: str


def read_tests(found: Sequence[Path], given: Sequence[Path]) -> list[NeedleTest]:
    """Read the tests `found` in the run's folder (an unreadable one is left out with a warning) and those `given`.

    Raises:
        UserError: a folder in `given` holds no summary of a needle test.
    """
    tests = []
    for folder in dict.fromkeys([*found, *given]):
        try:
            tests.append(_read_test(folder))
        except UserError as error:
            if folder in given:
                raise
            log.warning("%s; left out", error)
    return tests


def _read_test(folder: Path) -> NeedleTest:
    file = folder / "summary.json"
    if not file.is_file():
        raise UserError(f"needle: {folder} has no summary.json; give the --out of a longalign needle")
    summary = read_json(file)
    try:
        text = f"{describe(summary['settings'])}: {headline(summary)}"
        return NeedleTest(folder, text, heat_map(summary, text))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UserError(f"needle: {file} is no summary of a longalign needle") from None


def maps_of_tests(tests: Sequence[NeedleTest], beside: Path) -> str:
    """The heat map of each test, with a link to its report if that is inside of the card's folder `beside`."""
    parts = [f"<div>{test.map}{_link(test.folder / 'report.html', beside)}</div>" for test in tests]
    return f'<div class="maps">{"".join(parts)}</div>' if parts else ""


def _link(report: Path, beside: Path) -> str:
    try:
        place = report.resolve().relative_to(beside.resolve()).as_posix()
    except ValueError:
        return ""
    return f'<p class="quiet"><a href="{html.escape(quote(place))}">answers</a></p>' if report.is_file() else ""
