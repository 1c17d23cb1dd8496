"""Draw line charts as inline SVG: lines of (step, value) in, HTML out. The page's style sheet has the colours."""

import html
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 460, 230
LEFT, RIGHT, TOP, BOTTOM = 50, 12, 10, 26  # margins around the plot
MOST_POINTS = 400  # drawn of a line; of a longer one, the extremes of each stretch are drawn
SMOOTH_FROM, STRETCHES = 60, 50  # a long noisy curve is drawn faintly, under its means over stretches
LOG_FROM = 100  # above this ratio of largest value to median, the axis is logarithmic

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Line:
    """A curve: (step, value) with finite values, in the order of steps. css: the class of its colour."""

    name: str
    points: Points
    css: str


@dataclass(frozen=True)
class Frame:
    """Maps steps `first` to `last` and values `low` to `high` to coordinates of the picture."""

    first: float
    last: float
    low: float
    high: float
    log: bool

    def x(self, step: float) -> float:
        share = (step - self.first) / (self.last - self.first) if self.last > self.first else 0.5
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        low, high = (math.log10(self.low), math.log10(self.high)) if self.log else (self.low, self.high)
        at = math.log10(value) if self.log else value
        return HEIGHT - BOTTOM - (at - low) / (high - low) * (HEIGHT - TOP - BOTTOM)


def line_chart(
    lines: Sequence[Line], title: str, *, zero: bool = False, one: bool = False, smooth: bool = False
) -> str:
    """A figure with axes, the lines, and a legend with each line's last value; empty if there is no point.

    zero: the value axis starts at 0. one: it goes from 0 to 1. smooth: long curves are drawn faintly, with their means
    over stretches on top, the last of which the legend gives.
    """
    lines = [line for line in lines if line.points]
    if not lines:
        return ""
    steps, values = ([point[axis] for line in lines for point in line.points] for axis in (0, 1))
    log = not one and wants_log(values)
    low, high = (0.0, 1.0) if one else (min([*values, *([0.0] if zero and not log else [])]), max(values))
    value_ticks = log_ticks(low, high) if log else ticks(low, high)
    frame = Frame(min(steps), max(steps), value_ticks[0], value_ticks[-1], log)
    step_ticks = [tick for tick in ticks(frame.first, frame.last, whole=True) if frame.first <= tick <= frame.last]
    shown = [Line(line.name, thin(line.points), line.css) for line in lines]
    drawn = "".join(_draw(line, whole.points, frame, smooth) for line, whole in zip(shown, lines, strict=True))
    caption = html.escape(title + (", logarithmic" if log else ""))
    last = [number(_trend(line.points, smooth)[-1][1]) for line in lines]
    legend = "".join(
        f'<li class="{line.css}"><i></i>{html.escape(line.name)} <b>{value}</b></li>'
        for line, value in zip(lines, last, strict=True)
    )
    return (
        f'<figure class="chart" data-lines="{_data(shown, frame)}"><figcaption>{caption}</figcaption>'
        f'<div class="plot"><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{caption}">'
        f'{_axes(frame, step_ticks, value_ticks)}{drawn}<line class="cursor" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/></svg>'
        f'<div class="tip"></div></div><ul class="legend">{legend}</ul></figure>'
    )


def _axes(frame: Frame, step_ticks: Sequence[float], value_ticks: Sequence[float]) -> str:
    bottom = HEIGHT - BOTTOM
    parts = [f'<text x="{LEFT - 14}" y="{bottom + 18}" text-anchor="end">step</text>']
    for tick in value_ticks:
        y = frame.y(tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{number(tick)}</text>')
    for tick in step_ticks:
        x = frame.x(tick)
        parts.append(f'<line class="tick" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 4}"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{number(tick)}</text>')
    return "".join(parts)


def _draw(line: Line, whole: Points, frame: Frame, smooth: bool) -> str:
    trend = _trend(whole, smooth)
    parts = [_path(line.points, frame, line.css if trend is whole else f"{line.css} faint")]
    if trend is not whole:
        parts.append(_path(trend, frame, line.css))
    elif len(line.points) <= 30:
        parts += [
            f'<circle class="{line.css}" cx="{frame.x(step):.1f}" cy="{frame.y(value):.1f}" r="2.6"/>'
            for step, value in line.points
        ]
    return "".join(parts)


def _trend(points: Points, smooth: bool) -> Points:
    """The means over stretches of a long curve if `smooth`, else the curve itself."""
    return means(points) if smooth and len(points) >= SMOOTH_FROM else points


def _path(points: Points, frame: Frame, css: str) -> str:
    places = " ".join(f"{frame.x(step):.1f},{frame.y(value):.1f}" for step, value in points)
    return f'<polyline class="{css}" points="{places}"/>'


def _data(lines: Sequence[Line], frame: Frame) -> str:
    """JSON for the page's script, which shows the values under the pointer."""
    curves = [[line.name, line.css, [[step, float(f"{value:.5g}")] for step, value in line.points]] for line in lines]
    plot = {"first": frame.first, "last": frame.last, "left": LEFT, "right": WIDTH - RIGHT, "width": WIDTH}
    return html.escape(json.dumps({**plot, "lines": curves}, separators=(",", ":")))


def thin(points: Points, most: int = MOST_POINTS) -> Points:
    """At most about `most` points: the lowest and the highest of each stretch, and the last point."""
    if len(points) <= most:
        return points
    size = math.ceil(2 * len(points) / most)
    kept = []
    for start in range(0, len(points), size):
        stretch = points[start : start + size]
        ends = {min(stretch, key=lambda p: p[1]), max(stretch, key=lambda p: p[1])}
        kept += sorted(ends)
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]


def means(points: Points, stretches: int = STRETCHES) -> Points:
    """The mean step and the mean value of each stretch of the curve."""
    size = math.ceil(len(points) / stretches)
    parts = [points[start : start + size] for start in range(0, len(points), size)]
    return [(math.fsum(x for x, _ in p) / len(p), math.fsum(y for _, y in p) / len(p)) for p in parts]


def ticks(low: float, high: float, wanted: int = 4, whole: bool = False) -> list[float]:
    """Numbers at distances of 1, 2 or 5 times a power of ten; the first is at most `low`, the last at least `high`."""
    if high <= low:
        room = abs(low) * 0.1 or 1.0
        low, high = low - room, high + room
    raw = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(n * power for n in (1, 2, 5, 10) if n * power >= raw * 0.999)
    if whole:
        step = max(1.0, step)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [n * step for n in range(first, max(last, first + 1) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten from at most `low` to at least `high` (positive numbers), about six of them at most."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    apart = math.ceil((last - first) / 6)
    return [10.0**n for n in range(first, last + apart, apart)]


def wants_log(values: Sequence[float]) -> bool:
    """Whether the axis should be logarithmic, as a few values are far larger than the others."""
    ordered = sorted(values)
    return ordered[0] > 0 and ordered[-1] > LOG_FROM * ordered[len(ordered) // 2]


def number(value: float) -> str:
    """A value as an axis shows it: 0.25, 12.5k, 2e-05."""
    size = abs(value)
    if size < 1e-12:
        return "0"
    if size < 1e-3:
        return f"{value:.2e}".replace(".00e", "e").replace("0e", "e").replace("e-0", "e-")
    for unit, name in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if size >= unit * 0.99995:
            return f"{value / (1e3 if name == 'k' else unit):.4g}{name}"
    return f"{value:.4g}"
