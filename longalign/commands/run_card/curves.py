"""The charts of a card: which curves are drawn together, under which title and in which colours."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from longalign.commands.run_card.chart import Line, line_chart
from longalign.commands.run_card.events import Events

NUM_COLOURS = 7  # css classes c0 … c6 for unordered curves, q0 … q6 for ordered ones, such as lengths


@dataclass(frozen=True)
class Chart:
    """A chart. tags: (TensorBoard tag, name of the curve). prefix: all tags that begin with it are drawn, too.

    ordered: sort curves by the number in their names. zero, one, smooth: see `line_chart`.
    """

    title: str
    tags: Sequence[tuple[str, str]] = ()
    prefix: str = ""
    ordered: bool = False
    zero: bool = False
    one: bool = False
    smooth: bool = False


CHARTS = (
    Chart("loss by step", [("train/loss", "training"), ("val/loss", "held out")], smooth=True),
    Chart("training loss by source", prefix="train/loss_source/", smooth=True),
    Chart("held-out loss by source", prefix="val/loss_source/"),
    Chart("training loss by length in tokens", prefix="train/loss_length/", ordered=True, smooth=True),
    Chart("held-out loss by length in tokens", prefix="val/loss_length/", ordered=True),
    Chart("held-out loss by position in the sequence", prefix="val/loss_position/", ordered=True),
    Chart("learning rate", [("lr", "rate")], zero=True),
    Chart("gradient norm before clipping", [("train/grad_norm", "norm")], zero=True, smooth=True),
    Chart("skipped steps", [("train/skipped_steps", "so far")], zero=True),
    Chart("tokens/s", [("perf/tokens_per_s", "all ranks")], zero=True, smooth=True),
    Chart("MFU", [("perf/mfu", "MFU")], zero=True, smooth=True),
    Chart("peak memory of a rank, GiB", [("memory/peak_gib", "GiB")], zero=True),
    Chart(
        "shares of a step's time",
        [("perf/working_share", "ranks at work, by plan"), ("perf/loader_wait_share", "waiting for data")],
        one=True,
        smooth=True,
    ),
)

NEEDLE_CHARTS = (
    Chart("needle recall by length in tokens", prefix="needle/length_", ordered=True, one=True),
    Chart("needle recall by depth in percent", prefix="needle/depth_", ordered=True, one=True),
    Chart("log-probability of the right answer over a wrong one", [("needle/contrast", "contrast")]),
)


def draw(charts: Sequence[Chart], events: Events) -> str:
    """The figures of all charts that have points; that of skipped steps only if a step was skipped."""
    figures = []
    for chart in charts:
        if chart.title == "skipped steps" and not any(events.values("train/skipped_steps")):
            continue
        tags = _tags(chart, events)
        lost = sum(not math.isfinite(point.value) for tag, _ in tags for point in events.curves[tag])
        title = chart.title + (f" ({lost} not finite, left out)" if lost else "")
        lines = _lines(chart, tags, events)
        figures.append(line_chart(lines, title, zero=chart.zero, one=chart.one, smooth=chart.smooth))
    return "".join(figures)


def _tags(chart: Chart, events: Events) -> list[tuple[str, str]]:
    """(tag, name) of the chart's curves that the run has."""
    tags = [(tag, name) for tag, name in chart.tags if tag in events.curves]
    if chart.prefix:
        found = [tag for tag in events.curves if tag.startswith(chart.prefix)]
        names = [(tag, tag.removeprefix(chart.prefix)) for tag in found]
        tags += sorted(names, key=lambda pair: _order(pair[1])) if chart.ordered else names
    return tags


def _lines(chart: Chart, tags: Sequence[tuple[str, str]], events: Events) -> list[Line]:
    lines = []
    for place, (tag, name) in enumerate(tags):
        points = [(float(p.step), p.value) for p in events.curves[tag] if math.isfinite(p.value)]
        label = f"{int(name):,}" if name.isdecimal() else name
        lines.append(Line(label, points, _css(chart, place, len(tags))))
    return lines


def _css(chart: Chart, place: int, count: int) -> str:
    if chart.ordered:
        return f"q{round(place * (NUM_COLOURS - 1) / max(count - 1, 1))}"
    return f"c{place % NUM_COLOURS}"


def _order(name: str) -> tuple[float, str]:
    """A sort key: the number with which a name begins. 0-1k, 1k-4k, 16k-32k; 512, 2048."""
    found = re.match(r"([\d.]+)(k?)", name)
    return (float(found[1]) * (1024 if found[2] else 1) if found else math.inf, name)
