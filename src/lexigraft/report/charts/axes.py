"""Axes of the report's figures: scales, ticks, grids, places of labels, and outliers that an axis leaves out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Scale(NamedTuple):
    """A linear or logarithmic map from values to pixels."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    @property
    def as_data(self) -> str:
        """Its values for a script."""
        return f"{self.low:g} {self.high:g} {self.start:g} {self.end:g} {int(self.log)}"

    def __call__(self, value: float) -> float:
        low, high, at = (
            (math.log(v) for v in (self.low, self.high, value)) if self.log else (self.low, self.high, value)
        )
        return self.start + (self.end - self.start) * ((at - low) / (high - low) if high > low else 0.5)


def grid(x: Scale, y: Scale, box: tuple[float, ...], y_name: str, x_name: str) -> str:
    parts = ['<g class="ticks">']
    for tick in ticks(y, 7 if y_name else 4):
        at = f"{y(tick):.1f}"
        parts.append(f'<line class="grid" x1="{box[0]}" x2="{box[2]}" y1="{at}" y2="{at}"/>')
        parts.append(f'<text class="tick" x="{box[0] - 6}" y="{float(at) + 3.5:.1f}" text-anchor="end">{tick:g}</text>')
    for tick in ticks(x, 6 if x_name else 3):
        at, base = f"{x(tick):.1f}", box[3] + 16
        parts.append(f'<text class="tick" x="{at}" y="{base}" text-anchor="middle">{tick:g}</text>')
    parts.append("</g>")
    if x_name:
        parts.append(f'<text class="tick" x="{box[2]}" y="{box[3] + 34}" text-anchor="end">{x_name}</text>')
        parts.append(f'<text class="tick" x="{box[0] + 6}" y="{box[1] + 2}">{y_name}</text>')
    return "".join(parts)


def ticks(scale: Scale, most: int) -> list[float]:
    span = scale.high - scale.low
    if scale.log:
        steps = [m * 10.0**e for e in range(-4, 6) for m in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8)]
        found = [s for s in steps if scale.low <= s <= scale.high]
        return found if len(found) <= most else found[:: math.ceil(len(found) / most)]
    size = 10.0 ** math.floor(math.log10(span / most))
    step = next(size * m for m in (1, 2, 2.5, 5, 10, 20) if span / (size * m) <= most)
    first = math.ceil(scale.low / step - 1e-9)
    return [round(i * step, 10) for i in range(first, math.floor(scale.high / step + 1e-9) + 1)]


def spread_labels(wanted: Sequence[float], gap: float, top: float, bottom: float) -> list[float]:
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


def outliers(values: Mapping[str, float]) -> frozenset[str]:
    """The labels so far above all others that an axis with them would hide the differences among the rest.

    The largest gap between neighbors is wider than all other gaps together, and fewer than half of the labels lie above
    it; then the same again among the others.

    Args:
        values: Figures by label, the lower the better.
    """
    found: set[str] = set()
    order = sorted(values, key=values.__getitem__)
    while len(order) > 3:
        gaps = [values[after] - values[before] for before, after in itertools.pairwise(order)]
        at = max(range(len(gaps)), key=gaps.__getitem__)
        if gaps[at] <= sum(gaps) / 2 or len(order) - 1 - at >= len(order) / 2:
            break
        found |= set(order[at + 1 :])
        order = order[: at + 1]
    return frozenset(found)
