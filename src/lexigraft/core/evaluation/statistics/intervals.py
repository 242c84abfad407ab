"""Means and intervals over seeds and over items, Holm's correction for several tests, and the recovered share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lexigraft.core.evaluation.scores import ItemScores


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds.

    Attributes:
        mean: The mean.
        half_width: Half of the 95% t-interval; None with one value (one value says nothing about its spread).
        values: The values, one for each seed.
    """

    mean: float
    half_width: float | None
    values: tuple[float, ...]

    @property
    def low(self) -> float | None:
        """The interval's lower end."""
        return None if self.half_width is None else self.mean - self.half_width

    @property
    def high(self) -> float | None:
        """The interval's upper end."""
        return None if self.half_width is None else self.mean + self.half_width


def estimate(values: Sequence[float]) -> Estimate:
    """Mean with its two-sided 95% interval, ``mean ± t(0.975, n − 1) · s / √n``, s with n − 1 degrees of freedom.

    Args:
        values: At least one value.

    Returns:
        The mean; its interval where there are two values or more.
    """
    from scipy.stats import t

    n, mean = len(values), math.fsum(values) / len(values)
    if n == 1:
        return Estimate(mean, None, tuple(values))
    return Estimate(mean, float(t.ppf(0.975, n - 1)) * _deviation(values) / math.sqrt(n), tuple(values))


def items_half_width(scores: ItemScores) -> float | None:
    """Half of the 95% t-interval of one model's figure over its items, as a ratio of sums (Cochran 1977, 6.4).

    Args:
        scores: The items' outcomes.

    Returns:
        The half width; ``None`` with one item.
    """
    from scipy.stats import t

    above, below = (np.asarray(part, np.float64) for part in scores)
    n, total = len(above), math.fsum(below)
    if n < 2 or not total:
        return None
    moves = (above - scores.ratio * below) / total
    return float(t.ppf(0.975, n - 1)) * math.sqrt(n / (n - 1) * math.fsum(moves**2))


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Holm's step-down correction for several tests (Holm 1979): adjusted p-values, never above 1, in input order.

    The k-th smallest of m p-values is multiplied by m − k + 1, and no adjusted value is below an earlier one.
    """
    adjusted: dict[str, float] = {}
    largest = 0.0
    for rank, name in enumerate(sorted(p_values, key=lambda n: p_values[n])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[name]))
        adjusted[name] = largest
    return {name: adjusted[name] for name in p_values}


def recovered_share(random: float, method: float, oracle: float) -> float | None:
    """Share of the gap between random rows and the right rows that a method closes, in bits per byte.

    ``(random − method) / (random − oracle)``

    Args:
        random: Bits per byte with random rows.
        method: Bits per byte with the method's rows.
        oracle: Bits per byte with the right rows.

    Returns:
        0 as good as random, 1 as good as the oracle, negative worse than random; None where both ends are equal.
    """
    return None if random == oracle else (random - method) / (random - oracle)


def _deviation(values: Sequence[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))
