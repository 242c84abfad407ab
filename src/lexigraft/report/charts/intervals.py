"""Chart of a mean with its interval, one for each row of the ranking."""

from __future__ import annotations

from html import escape

from lexigraft.report.charts.axes import Scale, outliers
from lexigraft.report.charts.line_styles import LineStyle, line_styles
from lexigraft.report.data import Report
from lexigraft.report.rows import Row


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
