"""Figures of the report as inline SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from lexigraft.report.axes import Scale, grid, outliers, spread_labels
from lexigraft.report.data import Report
from lexigraft.report.formats import seconds
from lexigraft.report.rows import Row
from lexigraft.report.times import same_time

# Okabe & Ito's palette without its yellow, which is too pale on paper; a second round of rows is dashed.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5195")
DASHES = ("", "7 3", "2 3")
CONTROL, BOUND = "var(--control, #6b7280)", "var(--bound, #111827)"
"""Colors that follow the page, light or dark."""


class LineStyle(NamedTuple):
    """How one strategy's line is drawn."""

    color: str
    dash: str


def line_styles(report: Report) -> dict[str, LineStyle]:
    """A line style for each label, in the recipe's order; controls grey and dotted, the bound black."""
    controls = {r.label for r in report.rows if r.keeps_tokenizer}
    bounds = {r.label for r in report.rows if r.is_bound}
    others = [label for label in report.comparison.labels if label not in controls | bounds]
    found = {n: LineStyle(PALETTE[i % len(PALETTE)], DASHES[i // len(PALETTE) % 3]) for i, n in enumerate(others)}
    return found | dict.fromkeys(controls, LineStyle(CONTROL, "1 3")) | dict.fromkeys(bounds, LineStyle(BOUND, "7 3"))


def interval_figures(report: Report) -> dict[str, str]:
    """For each label its mean and 95% interval on one common axis, 150 × 22 pixels; empty where there is no mean.

    The axis leaves outliers out: an arrow at its end stands for them.
    """
    means = {r.label: r.final.mean for r in report.rows if r.final}
    kept = [mean for label, mean in means.items() if label not in outliers(means)]
    if not kept:
        return {r.label: "" for r in report.rows}
    ends = [e for r in report.rows if r.final and r.final.mean in kept for e in (r.final.low, r.final.high) if e]
    spread = max(kept) - min(kept) or 0.1
    x = Scale(
        max(min([*ends, *kept]), min(kept) - spread / 2), min(max([*ends, *kept]), max(kept) + spread / 2), 7, 143
    )
    styles = line_styles(report)
    guide = f'<line class="guide" x1="{x(kept[0]):.1f}" x2="{x(kept[0]):.1f}" y1="0" y2="22"/>'
    return {r.label: _interval(r, x, styles[r.label], guide) for r in report.rows}


def _interval(row: Row, x: Scale, style: LineStyle, guide: str) -> str:
    if row.final is None:
        return ""
    parts = [guide]
    low, high = row.final.low, row.final.high
    if row.final.mean > x.high:
        parts.append(f'<path d="M139 6 L147 11 L139 16 Z" fill="{style.color}"/>')
    else:
        if low is not None and high is not None:
            left, right = (min(max(x(v), 1), 149) for v in (low, high))
            parts.append(
                f'<line x1="{left:.1f}" x2="{right:.1f}" y1="11" y2="11" stroke="{style.color}" stroke-width="2.5"/>'
            )
            parts += [
                f'<line x1="{at:.1f}" x2="{at:.1f}" y1="7" y2="15" stroke="{style.color}" stroke-width="1.5"/>'
                for at, whole in ((left, low >= x.low), (right, high <= x.high))
                if whole
            ]
        parts.append(f'<circle cx="{x(row.final.mean):.1f}" cy="11" r="4.5" fill="{style.color}"/>')
    shown = f"{row.label}: {row.final.mean:.3f}{' (beyond the axis)' if row.final.mean > x.high else ''}"
    return f'<svg class="interval" viewBox="0 0 150 22" role="img" aria-label="{escape(shown)}">{"".join(parts)}</svg>'


def cost_figure(report: Report) -> str:
    """Bits per byte by the seconds of a whole run, 820 × 300; empty with fewer than three points or where times agree.

    Outliers in bits per byte are left out: :func:`left_out_of_cost` names them.
    """
    rows = [row for row in report.rows if row.final and "seconds" in row.cost]
    means = {row.label: row.final.mean for row in rows if row.final and row.label not in left_out_of_cost(report)}
    rows = [row for row in rows if row.label in means]
    if len(rows) < 3 or same_time(rows):
        return ""
    width, height = 820, 300
    box = (46, 14, width - 150, height - 40)
    points = {row.label: (row.cost["seconds"], means[row.label]) for row in rows}
    times, bits = [t for t, _ in points.values()], [b for _, b in points.values()]
    pad = (max(bits) - min(bits)) * 0.12 or 0.05
    x = Scale(0, max(times) * 1.05, box[0] + 6, box[2] - 4)
    y = Scale(min(bits) - pad, max(bits) + pad, box[3], box[1])
    styles = line_styles(report)
    parts = [grid(x, y, box, "bits per byte", "seconds of a whole run")]
    places = spread_labels([y(b) for _, b in points.values()], 15, box[1], box[3])
    for (label, (time, value)), place in zip(points.items(), places, strict=True):
        color, at = styles[label].color, x(time)
        title = f"<title>{escape(label)}: {value:.3f} bits per byte, {seconds(time)}</title>"
        path = f"M{at + 6:.1f} {y(value):.1f} L{box[2] + 16:.1f} {place:.1f}"
        parts.append(
            f'<g class="series" data-label="{escape(label)}">'
            f'<path d="{path}" stroke="{color}" stroke-width="0.6" fill="none" opacity="0.5"/>'
            f'<circle cx="{at:.1f}" cy="{y(value):.1f}" r="5" fill="{color}">{title}</circle>'
            f'<text x="{box[2] + 20:.1f}" y="{place + 4:.1f}" fill="{color}" class="name">{escape(short(label))}</text>'
            "</g>"
        )
    return svg("curves", width, height, "Bits per byte by the time of a run", parts)


def left_out_of_cost(report: Report) -> list[str]:
    """The labels so far above the others in bits per byte that the figure of cost leaves them out."""
    means = {row.label: row.final.mean for row in report.rows if row.final and "seconds" in row.cost}
    out = outliers(means)
    return [label for label in means if label in out]


def short(label: str) -> str:
    """A label as it fits beside a chart."""
    return label if len(label) <= 20 else label[:19] + "…"


def svg(kind: str, width: int, height: int, label: str, parts: Sequence[str], data: str = "") -> str:
    head = f'<svg class="{kind}" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}"{data}>'
    return f"{head}{''.join(parts)}</svg>"
