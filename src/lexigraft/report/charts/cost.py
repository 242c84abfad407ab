"""Chart of quality by cost."""

from __future__ import annotations

from html import escape

from lexigraft.report.charts.axes import Scale, grid, outliers, spread_labels
from lexigraft.report.charts.line_styles import line_styles
from lexigraft.report.charts.svg import short, svg
from lexigraft.report.cost_account import same_time
from lexigraft.report.data import Report
from lexigraft.report.formats import seconds


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
