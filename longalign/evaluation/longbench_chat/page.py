"""Write a comparison as one HTML page that loads no other files."""

import html
from collections.abc import Sequence

from longalign.evaluation.longbench_chat.compare import Comparison, Line, Pair
from longalign.evaluation.longbench_chat.statistics import Estimate
from longalign.evaluation.longbench_chat.tables import facts, group_order, heading, interval

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:62rem;padding:0 1rem;color:#1c2733}
table{border-collapse:collapse;margin:1rem 0 2rem;width:100%}
th,td{padding:.35rem .7rem;text-align:right;border-bottom:1px solid #dfe5ea;white-space:nowrap}
th:first-child,td:first-child{text-align:left}thead th{border-bottom:2px solid #8795a1}
.bar{position:relative;display:inline-block;width:11rem;height:.9rem;background:#eef2f5;border-radius:2px;vertical-align:middle}
.bar i{position:absolute;top:.25rem;height:.4rem;background:#9db8d2}
.bar>b{position:absolute;top:0;width:3px;height:.9rem;background:#1b4f83}
.zero{position:absolute;top:0;width:1px;height:.9rem;background:#8795a1}
.note{color:#8a4b08}.quiet{color:#63717d}
"""


def page(comparison: Comparison) -> str:
    """The page: the tables of means and pairs, with a bar for each interval."""
    low, high = comparison.runs[0].setup["scale"]
    lines = sorted(comparison.lines, key=lambda line: group_order(comparison).index(line.group))
    before = [None, *(line.group for line in lines)]
    rows = [_mean_row(line, low, high, line.group != last) for line, last in zip(lines, before, strict=False)]
    body = _html_table(["group", "run", "n", "mean and 95 % interval", f"{low} to {high}"], rows)
    if comparison.pairs:
        span = high - low
        pairs = [_pair_row(pair, span) for pair in comparison.pairs]
        head = ["pair", "n", "difference", f"-{span} to +{span}", "better / equal / worse", "verdict"]
        body += _html_table(head, pairs)
    body += "".join(f'<p class="quiet">{html.escape(facts(run))}</p>' for run in comparison.runs)
    body += "".join(f'<p class="note">{html.escape(note)}</p>' for note in comparison.notes)
    title = html.escape(heading(comparison).removeprefix("# "))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>LongBench-Chat</title><style>{_STYLE}</style>'
        f"<h1>LongBench-Chat</h1><p>{title.removeprefix('LongBench-Chat: ')}</p>{body}</html>\n"
    )


def _mean_row(line: Line, low: float, high: float, opens_group: bool) -> list[str]:
    found = line.estimate
    group = f"<b>{html.escape(line.group)}</b>" if opens_group else ""
    return [group, html.escape(line.run), str(found.n), interval(found), _bar(found, low, high)]


def _pair_row(pair: Pair, span: float) -> list[str]:
    found = pair.difference
    return [
        html.escape(f"{pair.second} - {pair.first}"),
        str(found.estimate.n),
        interval(found.estimate, sign="+"),
        _bar(found.estimate, -span, span, zero=True),
        f"{found.wins} / {found.ties} / {found.losses}",
        html.escape(pair.verdict),
    ]


def _html_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _bar(estimate: Estimate, low: float, high: float, zero: bool = False) -> str:
    def at(value: float) -> float:
        return 100 * (min(max(value, low), high) - low) / (high - low)

    parts = '<span class="zero" style="left:50%"></span>' if zero else ""
    if estimate.low is not None and estimate.high is not None:
        left, width = at(estimate.low), at(estimate.high) - at(estimate.low)
        parts += f'<i style="left:{left:.1f}%;width:{width:.1f}%"></i>'
    return f'<span class="bar">{parts}<b style="left:calc({at(estimate.mean):.1f}% - 1px)"></b></span>'
