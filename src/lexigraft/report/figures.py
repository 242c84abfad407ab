"""Figures of the report as inline SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

from lexigraft.report.data import Report, Row

# Okabe & Ito's palette without its yellow, which is too pale on paper; a second round of rows is dashed.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5195")
DASHES = ("", "7 3", "2 3")
CONTROL, BOUND = "#6b7280", "#111827"


class LineStyle(NamedTuple):
    """How one strategy's line is drawn."""

    color: str
    dash: str


class Scale(NamedTuple):
    """A linear or logarithmic map from values to pixels."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, at = (
            (math.log(v) for v in (self.low, self.high, value)) if self.log else (self.low, self.high, value)
        )
        return self.start + (self.end - self.start) * ((at - low) / (high - low) if high > low else 0.5)


def line_styles(report: Report) -> dict[str, LineStyle]:
    """A line style for each label, in the recipe's order; controls grey and dotted, the bound black."""
    controls = {r.label for r in report.rows if r.keeps_tokenizer}
    bounds = {r.label for r in report.rows if r.is_bound}
    others = [label for label in report.comparison.labels if label not in controls | bounds]
    found = {n: LineStyle(PALETTE[i % len(PALETTE)], DASHES[i // len(PALETTE) % 3]) for i, n in enumerate(others)}
    return found | dict.fromkeys(controls, LineStyle(CONTROL, "1 3")) | dict.fromkeys(bounds, LineStyle(BOUND, "7 3"))


def interval_figures(report: Report) -> dict[str, str]:
    """For each label its mean and 95% interval on one common axis, 150 × 22 pixels; empty where there is no mean."""
    ends = [e for r in report.rows if r.final for e in (r.final.low, r.final.high, r.final.mean) if e is not None]
    if not ends:
        return {r.label: "" for r in report.rows}
    means = [r.final.mean for r in report.rows if r.final]
    spread = max(means) - min(means) or 0.1
    x = Scale(max(min(ends), min(means) - spread / 2), min(max(ends), max(means) + spread / 2), 7, 143)
    styles = line_styles(report)
    best = f'<line class="guide" x1="{x(means[0]):.1f}" x2="{x(means[0]):.1f}" y1="0" y2="22"/>'
    return {r.label: _interval(r, x, styles[r.label], best) for r in report.rows}


def _interval(row: Row, x: Scale, style: LineStyle, guide: str) -> str:
    if row.final is None:
        return ""
    parts = [guide]
    low, high = row.final.low, row.final.high
    if low is not None and high is not None:
        left, right = (min(max(x(v), 1), 149) for v in (low, high))
        parts.append(
            f'<line x1="{left:.1f}" x2="{right:.1f}" y1="11" y2="11" stroke="{style.color}" stroke-width="2.5"/>'
        )
        ticks = [(left, low >= x.low), (right, high <= x.high)]
        parts += [
            f'<line x1="{at:.1f}" x2="{at:.1f}" y1="7" y2="15" stroke="{style.color}" stroke-width="1.5"/>'
            for at, whole in ticks
            if whole
        ]
    parts.append(f'<circle cx="{x(row.final.mean):.1f}" cy="11" r="4.5" fill="{style.color}"/>')
    shown = f"{row.label}: {row.final.mean:.3f}"
    return f'<svg class="interval" viewBox="0 0 150 22" role="img" aria-label="{escape(shown)}">{"".join(parts)}</svg>'


def curves_figure(report: Report) -> str:
    """Every strategy's target bits per byte by step on one chart."""
    lines = {r.label: {s: e.mean for s, e in r.curve.items()} for r in report.rows if r.curve}
    return lines_figure(lines, line_styles(report), "bits per byte", "Target bits per byte by step")


def lines_figure(
    lines: Mapping[str, Mapping[int, float]], styles: Mapping[str, LineStyle], unit: str, title: str
) -> str:
    """Values by step on one chart, 820 × 400, each line labelled at its end; empty without lines.

    Args:
        lines: Values by step, by label.
        styles: How each label's line is drawn.
        unit: What the values are.
        title: What the chart shows, for readers who do not see it.
    """
    if not lines:
        return ""
    width, height, right = 820, 400, 176
    box = (46, 14, width - right, height - 40)
    x, y = _scales(list(lines.values()), box)
    parts = [_grid(x, y, box, unit, "adaptation steps")]
    ends = _spread_labels([y(points[max(points)]) for points in lines.values()], 15, box[1], box[3])
    for (label, points), at in zip(lines.items(), ends, strict=True):
        style, last = styles[label], max(points)
        parts.append(_line(points, x, y, style, 2.2))
        parts += [f'<circle cx="{x(s):.1f}" cy="{y(v):.1f}" r="3" fill="{style.color}"/>' for s, v in points.items()]
        tail = f"M{x(last) + 5:.1f} {y(points[last]):.1f} L{box[2] + 16:.1f} {at:.1f}"
        parts.append(f'<path d="{tail}" stroke="{style.color}" stroke-width="0.8" fill="none" opacity="0.6"/>')
        text = label if len(label) <= 20 else label[:19] + "…"
        parts.append(
            f'<text x="{box[2] + 20:.1f}" y="{at + 4:.1f}" fill="{style.color}" class="name">{escape(text)}</text>'
        )
    return _svg("curves", width, height, title, parts)


def small_figures(report: Report, what: str) -> dict[str, str]:
    """One small chart for each strategy, 240 × 150: its own line in colour, the others behind it in grey.

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
    box = (34, 8, 234, 128)
    x, y = _scales(list(lines.values()), box)
    styles = line_styles(report)
    behind = "".join(_line(points, x, y, LineStyle("#d5d9e0", ""), 1) for points in lines.values())
    figures = {}
    for row in report.rows:
        if row.label not in lines:
            continue
        parts = [_grid(x, y, box, "", ""), behind]
        if bits:
            parts.append(_band(row, x, y, styles[row.label], box))
        parts.append(_line(lines[row.label], x, y, LineStyle(styles[row.label].color, ""), 2.2))
        figures[row.label] = _svg("small", 240, 150, f"{row.label}: {what} by step", parts)
    return figures


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


def _grid(x: Scale, y: Scale, box: tuple[float, ...], y_name: str, x_name: str) -> str:
    parts = []
    for tick in _ticks(y, 7 if y_name else 4):
        at = f"{y(tick):.1f}"
        parts.append(f'<line class="grid" x1="{box[0]}" x2="{box[2]}" y1="{at}" y2="{at}"/>')
        parts.append(f'<text class="tick" x="{box[0] - 6}" y="{float(at) + 3.5:.1f}" text-anchor="end">{tick:g}</text>')
    for tick in _ticks(x, 6 if x_name else 3):
        at, base = f"{x(tick):.1f}", box[3] + 16
        parts.append(f'<text class="tick" x="{at}" y="{base}" text-anchor="middle">{tick:g}</text>')
    if x_name:
        parts.append(f'<text class="tick" x="{box[2]}" y="{box[3] + 34}" text-anchor="end">{x_name}</text>')
        parts.append(f'<text class="tick" x="{box[0] + 6}" y="{box[1] + 2}">{y_name}</text>')
    return "".join(parts)


def _ticks(scale: Scale, most: int) -> list[float]:
    span = scale.high - scale.low
    if scale.log:
        steps = [m * 10.0**e for e in range(-4, 6) for m in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8)]
        found = [s for s in steps if scale.low <= s <= scale.high]
        return found if len(found) <= most else found[:: math.ceil(len(found) / most)]
    size = 10.0 ** math.floor(math.log10(span / most))
    step = next(size * m for m in (1, 2, 2.5, 5, 10, 20) if span / (size * m) <= most)
    first = math.ceil(scale.low / step - 1e-9)
    return [round(i * step, 10) for i in range(first, math.floor(scale.high / step + 1e-9) + 1)]


def _spread_labels(wanted: Sequence[float], gap: float, top: float, bottom: float) -> list[float]:
    """Positions for labels, in the given order, at least ``gap`` apart and as near as possible to where they belong."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    gap = min(gap, (bottom - top) / max(len(order) - 1, 1))
    placed: list[float] = []
    for i in order:
        placed.append(max(wanted[i], placed[-1] + gap if placed else top))
    floor = bottom
    for rank in reversed(range(len(placed))):
        placed[rank] = min(placed[rank], floor)
        floor = placed[rank] - gap
    positions = [0.0] * len(order)
    for rank, i in enumerate(order):
        positions[i] = placed[rank]
    return positions


def _line(points: Mapping[int, float], x: Scale, y: Scale, style: LineStyle, width: float) -> str:
    joined = " ".join(f"{x(step):.1f},{y(points[step]):.1f}" for step in sorted(points))
    dash = f' stroke-dasharray="{style.dash}"' if style.dash else ""
    return f'<polyline points="{joined}" fill="none" stroke="{style.color}" stroke-width="{width}"{dash}/>'


def _svg(kind: str, width: int, height: int, label: str, parts: Sequence[str]) -> str:
    head = f'<svg class="{kind}" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}">'
    return f"{head}{''.join(parts)}</svg>"
