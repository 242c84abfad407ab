"""Learning curves of a report as inline SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

from lexigraft.report.charts.axes import Scale, grid, outliers, spread_labels
from lexigraft.report.charts.line_styles import LineStyle, line_styles
from lexigraft.report.charts.svg import short, svg
from lexigraft.report.data import Report
from lexigraft.report.rows import Row


class Range(NamedTuple):
    """The values that a chart shows."""

    low: float
    high: float


def curves_figure(report: Report, *, near: bool = False) -> str:
    """Every strategy's target bits per byte by step on one chart; empty without curves.

    Args:
        report: The report.
        near: Whether the chart shows the values around the ends alone, where strategies differ; what lies above is
            named at the upper edge. Empty where that is not another chart.
    """
    lines = {r.label: {s: e.mean for s, e in r.curve.items()} for r in report.rows if r.curve}
    shown = _end_range(report) if near else None
    if near and shown is None:
        return ""
    return lines_figure(lines, line_styles(report), "bits per byte", "Target bits per byte by step", shown)


def _end_range(report: Report) -> Range | None:
    """The values around the ends of the curves, without outliers; None where nothing lies above them."""
    ends = {row.label: row.final.mean for row in report.rows if row.final is not None}
    kept = [value for label, value in ends.items() if label not in outliers(ends)]
    if len(kept) < 2:
        return None
    span = max(kept) - min(kept) or 0.01
    high = max(kept) + span
    above = any(e.mean > high for row in report.rows for e in row.curve.values())
    return Range(min(kept) - 0.15 * span, high) if above else None


def lines_figure(
    lines: Mapping[str, Mapping[int, float]],
    styles: Mapping[str, LineStyle],
    unit: str,
    title: str,
    shown: Range | None = None,
) -> str:
    """Values by step on one chart, 820 × 400, each line labelled at its end; empty without lines.

    Each line is a group of class ``series`` with its label, and each of its points says its value. What a script needs
    to zoom is in the data of the element: the plot's box and both scales.

    Args:
        lines: Values by step, by label.
        styles: How each label's line is drawn.
        unit: What the values are.
        title: What the chart shows, for readers who do not see it.
        shown: The values that the chart shows; all of them where not given.
    """
    if not lines:
        return ""
    width, height, right = 820, 400, 196
    box = (46, 14, width - right, height - 40)
    x, y = _scales(list(lines.values()), box)
    if shown is not None:
        y = Scale(shown.low, shown.high, box[3], box[1])
    clip = f"chart-{'near' if shown else 'whole'}-{len(title)}"
    parts = [
        f'<clipPath id="{clip}"><rect x="{box[0]}" y="{box[1]}" width="{box[2] - box[0]}" height="{box[3] - box[1]}"/>'
        "</clipPath>",
        grid(x, y, box, unit, "adaptation steps"),
    ]
    ends = {label: points[max(points)] for label, points in lines.items()}
    places = spread_labels([max(y(v), box[1]) for v in ends.values()], 15, box[1], box[3])
    for (label, points), place in zip(lines.items(), places, strict=True):
        above = shown is not None and ends[label] > shown.high
        parts.append(_series(label, points, x, y, styles[label], place, clip, above=above, edge=box[2]))
    data = f' data-box="{" ".join(map(str, box))}" data-x="{x.as_data}" data-y="{y.as_data}"'
    return svg("curves", width, height, title, parts, data)


def _series(
    label: str,
    points: Mapping[int, float],
    x: Scale,
    y: Scale,
    style: LineStyle,
    place: float,
    clip: str,
    *,
    above: bool,
    edge: float,
) -> str:
    """One line with its points and its name; the name of a line that ends above the chart has its value."""
    last = max(points)
    dots = "".join(
        f'<circle cx="{x(s):.1f}" cy="{y(v):.1f}" r="3" fill="{style.color}"><title>{escape(label)}, step {s}: {v:.3f}'
        "</title></circle>"
        for s, v in sorted(points.items())
    )
    if above:
        tail, text = "", f"↑ {short(label)} {points[last]:.2f}"
    else:
        text = short(label)
        path = f"M{x(last) + 5:.1f} {y(points[last]):.1f} L{edge + 16:.1f} {place:.1f}"
        tail = f'<path class="tail" d="{path}" stroke="{style.color}" stroke-width="0.8" fill="none" opacity="0.6"/>'
    name = f'<text x="{edge + 20:.1f}" y="{place + 4:.1f}" fill="{style.color}" class="name">{escape(text)}</text>'
    drawn = f'<g clip-path="url(#{clip})">{_line(points, x, y, style, 2.2)}{dots}</g>'
    return f'<g class="series" data-label="{escape(label)}">{drawn}{tail}{name}</g>'


def small_figures(report: Report, what: str) -> dict[str, str]:
    """One small chart for each strategy, 240 × 150: its own line in color, the others behind it in grey.

    An outlier has a scale of its own.

    Args:
        report: The report.
        what: ``bits`` for target bits per byte with its interval, ``loss`` for the training loss.

    Returns:
        Label to SVG; labels with fewer than two points are left out.
    """
    bits = what == "bits"
    lines = {r.label: {s: e.mean for s, e in r.curve.items()} if bits else dict(r.losses) for r in report.rows}
    lines = {label: {s: v for s, v in points.items() if math.isfinite(v)} for label, points in lines.items()}
    lines = {label: _thinned(points) for label, points in lines.items() if len(points) > 1}
    if not lines:
        return {}
    out = outliers({r.label: r.final.mean for r in report.rows if r.final is not None}) & lines.keys()
    common = {label: points for label, points in lines.items() if label not in out}
    styles = line_styles(report)
    figures = {}
    for row in (row for row in report.rows if row.label in lines):
        beside = {} if row.label in out else common
        figures[row.label] = _small_figure(row, lines[row.label], beside, styles[row.label], what)
    return figures


def _small_figure(
    row: Row, points: Mapping[int, float], beside: Mapping[str, Mapping[int, float]], style: LineStyle, what: str
) -> str:
    """One strategy's line in front of those that share its scale."""
    box = (34, 8, 234, 128)
    x, y = _scales([points, *beside.values()], box)
    parts = [grid(x, y, box, "", "")]
    parts += [_line(other, x, y, LineStyle("var(--behind, #d5d9e0)", ""), 1) for other in beside.values()]
    if what == "bits":
        parts.append(_band(row, x, y, style, box))
    parts.append(_line(points, x, y, LineStyle(style.color, ""), 2.2))
    return svg("small", 240, 150, f"{row.label}: {what} by step", parts)


def _band(row: Row, x: Scale, y: Scale, style: LineStyle, box: tuple[float, ...]) -> str:
    known = [(x(s), e.low, e.high) for s, e in row.curve.items() if e.low is not None and e.high is not None]
    if len(known) < 2:
        return ""
    clamped = [(at, _clamped(y, high, box), _clamped(y, low, box)) for at, low, high in known]
    outline = [f"{at:.1f},{top:.1f}" for at, top, _ in clamped] + [
        f"{at:.1f},{low:.1f}" for at, _, low in reversed(clamped)
    ]
    return f'<polygon points="{" ".join(outline)}" fill="{style.color}" opacity="0.15"/>'


def _clamped(y: Scale, value: float, box: tuple[float, ...]) -> float:
    return box[3] if y.log and value <= 0 else min(max(y(value), box[1]), box[3])


def _thinned(points: Mapping[int, float], most: int = 120) -> dict[int, float]:
    """Means of neighbouring steps, so that a long noisy curve stays small and readable."""
    steps = sorted(points)
    size = math.ceil(len(steps) / most)
    groups = [steps[i : i + size] for i in range(0, len(steps), size)]
    return {g[len(g) // 2]: math.fsum(points[s] for s in g) / len(g) for g in groups}


def _scales(lines: Sequence[Mapping[int, float]], box: tuple[float, ...]) -> tuple[Scale, Scale]:
    values = [v for points in lines for v in points.values()]
    low, high = min(values), max(values)
    log = low > 0 and high / low > 2.5
    pad = 1.04 if log else (high - low) * 0.06 or 0.05
    y = Scale(low / pad, high * pad, box[3], box[1], True) if log else Scale(low - pad, high + pad, box[3], box[1])
    return Scale(0, max(max(max(p) for p in lines), 1), box[0] + 6, box[2] - 4), y


def _line(points: Mapping[int, float], x: Scale, y: Scale, style: LineStyle, width: float) -> str:
    joined = " ".join(f"{x(step):.1f},{y(points[step]):.1f}" for step in sorted(points))
    dash = f' stroke-dasharray="{style.dash}"' if style.dash else ""
    return f'<polyline points="{joined}" fill="none" stroke="{style.color}" stroke-width="{width}"{dash}/>'
