"""Cells of heat maps: a figure on a ground of blue for what is better and orange for what is worse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from lexigraft.report.charts.axes import outliers

BETTER, WORSE = "0, 114, 178", "213, 94, 0"
STRONGEST = 0.7
"""Opacity of the strongest ground: text in the page's ink stays readable on it, light and dark."""


class HeatCell(NamedTuple):
    """One cell.

    Attributes:
        text: The figure, which says all that the ground says.
        ground: Its color in CSS.
        about: What a pointer shows.
        strong: Whether it stands out, in a heavier weight.
    """

    text: str
    ground: str
    about: str = ""
    strong: bool = False


def ground(strength: float) -> str:
    """A translucent color, so that the same page is right on a light and on a dark ground.

    Args:
        strength: From -1, the worst, over 0 to 1, the best.
    """
    hue = BETTER if strength > 0 else WORSE
    return f"rgba({hue}, {STRONGEST * min(1.0, abs(strength)):.2f})"


def shades(values: Mapping[str, float], *, lower_is_better: bool, noise: float = 0.0) -> dict[str, float]:
    """How far each value is on the way from the worst (0) to the best (1), outliers left aside.

    Args:
        values: Figures by label.
        lower_is_better: Whether a lower figure is better.
        noise: A difference that seeds make by themselves: the way is at least as long, so that color does not show
            what is not there.
    """
    sign = 1.0 if lower_is_better else -1.0
    signed = {label: sign * value for label, value in values.items()}
    out = outliers(signed)
    kept = [value for label, value in signed.items() if label not in out]
    span = max(max(kept) - min(kept), noise) or 1.0
    return {label: max(0.0, 1 - (value - min(kept)) / span) for label, value in signed.items()}
