"""Paired difference between two models in a figure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lexigraft.core.evaluation.scores import ItemScores

LEVEL, POWER = 0.95, 0.80
"""Level of intervals, and the chance with which a detectable difference is found."""


class Difference(NamedTuple):
    """A difference between two models, and what is known about its error.

    Attributes:
        mean: Ours minus theirs, mean over seeds.
        items: How many items were scored; 0 where only figures are known.
        seeds: How many seeds both have.
        item_variance: Variance of the mean that the choice of items brings; infinite with one item.
        seed_variance: Variance of the mean that seeds bring; 0 with one seed, about which nothing is known then.
    """

    mean: float
    items: int
    seeds: int
    item_variance: float
    seed_variance: float

    @property
    def error(self) -> float:
        """The standard error."""
        return math.sqrt(self.item_variance + self.seed_variance)

    @property
    def freedom(self) -> float:
        """Degrees of freedom of the error (Satterthwaite 1946)."""
        parts = [(self.item_variance, self.items - 1), (self.seed_variance, self.seeds - 1)]
        below = math.fsum(v**2 / n for v, n in parts if v and n)
        return (self.item_variance + self.seed_variance) ** 2 / below if below else math.inf

    @property
    def half_width(self) -> float:
        """Half of the 95% t-interval; infinite with one item."""
        return self._quantile((1 + LEVEL) / 2) * self.error if 0 < self.error < math.inf else self.error

    @property
    def p(self) -> float:
        """The two-sided p-value of no difference: of the t test that belongs to the interval."""
        from scipy.stats import t

        if not 0 < self.error < math.inf:
            return float(self.mean == 0 or self.error > 0)
        return float(2 * t.sf(abs(self.mean) / self.error, self.freedom))

    @property
    def separable(self) -> bool:
        """Whether the interval excludes zero."""
        return abs(self.mean) > self.half_width

    @property
    def detectable(self) -> float:
        """The smallest true difference that a test at 5% finds in about four of five repetitions.

        The error is estimated itself: with two or three seeds this may be half or twice as much.
        """
        both = self._quantile((1 + LEVEL) / 2) + self._quantile(POWER)
        return both * self.error if 0 < self.error < math.inf else self.error

    @property
    def effect(self) -> float:
        """The mean in standard deviations of what an item adds to it (Cohen's d for pairs)."""
        deviation = math.sqrt(self.item_variance * self.items)
        return self.mean / deviation if deviation else math.copysign(math.inf, self.mean) if self.mean else 0.0

    def with_size(self, items: int, seeds: int) -> Difference:
        """The same difference as another number of items and seeds would have shown it.

        Args:
            items: Items of the same kind.
            seeds: Seeds.
        """
        return Difference(
            self.mean,
            items,
            seeds,
            self.item_variance * self.items / items,
            self.seed_variance * self.seeds / seeds,
        )

    def _quantile(self, share: float) -> float:
        from scipy.stats import t

        return float(t.ppf(share, self.freedom))


def difference(ours: Sequence[ItemScores], theirs: Sequence[ItemScores]) -> Difference:
    """The difference between two models in a figure, paired by item and seed.

    A figure is a ratio of sums over items, ``r = sum a_i / sum b_i``. Items are a ratio estimator's sample (Cochran
    1977, 6.4): an item moves a figure by ``u_i = (a_i - r b_i) / sum b``; with u the seeds' mean of what it moves our
    figure less what it moves theirs, ``v_items = n / (n - 1) * sum u_i^2``. Seeds are a second sample, of the
    differences d_s: ``v_seeds = var(d_s) / S``. Both vary at once, so the variances add (the share that items and seeds
    have in common counts twice, which errs on the wide side). With one seed the interval is over items only.

    Args:
        ours: The items' outcomes for each seed.
        theirs: The same items with the same seeds by another model.
    """
    ours_ratio, ours_moves = _figures(ours)
    their_ratio, their_moves = _figures(theirs)
    differences, moves = ours_ratio - their_ratio, (ours_moves - their_moves).mean(0)
    seeds, items = len(differences), len(moves)
    item_variance = items / (items - 1) * float((moves**2).sum()) if items > 1 else math.inf
    seed_variance = float(differences.var(ddof=1)) / seeds if seeds > 1 else 0.0
    return Difference(math.fsum(differences) / seeds, items, seeds, item_variance, seed_variance)


def difference_of_seeds(differences: Sequence[float]) -> Difference:
    """The difference between two models of which only one figure for each seed is known: the paired t test over seeds.

    Args:
        differences: Ours minus theirs for each seed, at least two.
    """
    values = np.asarray(differences, np.float64)
    seeds = len(values)
    return Difference(math.fsum(values) / seeds, 0, seeds, 0.0, float(values.var(ddof=1)) / seeds)


def _figures(by_seed: Sequence[ItemScores]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Each seed's figure ``(seeds,)``, and what each item moves it by ``(seeds, items)``."""
    above, below = (np.stack([np.asarray(s[part], np.float64) for s in by_seed]) for part in (0, 1))
    totals = np.array([[math.fsum(row)] for row in below])
    ratios = np.array([[math.fsum(row)] for row in above]) / totals
    return ratios[:, 0], (above - ratios * below) / totals
