"""Numbers of a report as text: intervals, differences, counts, shares, durations, sizes."""

from __future__ import annotations

import math

from lexigraft.core.evaluation.statistics.intervals import Estimate
from lexigraft.core.evaluation.statistics.paired_comparison import Difference
from lexigraft.core.evaluation.statistics.ranking import SIGNIFICANT

NOTHING = "–"


def interval(value: Estimate | None) -> str:
    """``mean ± half width`` of the 95% interval, or the mean alone where one seed gives no interval."""
    if value is None:
        return NOTHING
    return f"{value.mean:.3f}" if value.half_width is None else f"{value.mean:.3f} ± {value.half_width:.3f}"


def signed(value: Difference | None) -> str:
    """``+mean ± half width`` of a difference."""
    if value is None:
        return NOTHING
    width = f" ± {value.half_width:.3f}" if math.isfinite(value.half_width) else ""
    return f"{value.mean:+.3f}{width}".replace("-", "−")


def detectable(value: Difference | None) -> str:
    """The smallest difference that would have been found, where none was."""
    return NOTHING if value is None or value.separable or math.isinf(value.detectable) else f"{value.detectable:.3f}"


def missed(value: Difference | None, p: float | None) -> str:
    """The difference that would have been found, in brackets, where none was told."""
    if value is None or p is None or p < SIGNIFICANT or not math.isfinite(value.detectable):
        return ""
    return f" ({value.detectable:.3f})"


def p_value(value: float | None) -> str:
    """A p-value with two significant digits, or ``< 0.001``."""
    if value is None:
        return NOTHING
    return "< 0.001" if value < 0.001 else f"{value:.2g}"


def number(value: float | None, digits: int = 3) -> str:
    """A number with fixed digits."""
    return NOTHING if value is None else f"{value:.{digits}f}"


def count(value: float | None) -> str:
    """A count with thousands separated."""
    return NOTHING if value is None else f"{value:,.0f}"


def share(value: float | None) -> str:
    """A share as a percentage."""
    return NOTHING if value is None else f"{value:.1%}"


def seconds(value: float | None) -> str:
    """A duration, in minutes from two minutes on."""
    if value is None:
        return NOTHING
    return f"{value / 60:.1f} min" if value >= 120 else f"{value:.1f} s"


def isolated(token: str) -> str:
    """A token that turns nothing else where it is written from right to left."""
    return f"\u2068{token}\u2069"


def size(value: float | None) -> str:
    """Bytes in MiB or GiB."""
    if value is None:
        return NOTHING
    return f"{value / 2**30:.1f} GiB" if value >= 2**30 else f"{value / 2**20:.0f} MiB"
