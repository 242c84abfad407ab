"""Correlations of features with the outcome of language pairs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lexigraft.core.transfer.pairs import Floats, PairTable

LEVEL, POWER = 0.95, 0.80
RESAMPLES = 499
_FEWEST_LANGUAGES = 3


class Interval(NamedTuple):
    """Both ends of a 95% interval."""

    low: float
    high: float


@dataclass(frozen=True)
class Correlation:
    """How a feature goes with the outcome.

    Attributes:
        feature: The feature.
        pairs: Pairs in which it is known.
        pearson: Pearson's correlation with the outcome.
        pearson_p: Its two-sided p-value, as if pairs were independent.
        pearson_log: Pearson's correlation with the logarithm of the outcome; ``None`` where it is not above zero.
        spearman: Spearman's rank correlation.
        spearman_p: Its two-sided p-value, as if pairs were independent.
        interval: Spearman's interval by Bonett and Wright (2000), as if pairs were independent.
        crossed_interval: The percentile interval when donors and targets are drawn again, each as a whole (Owen 2007):
            pairs that share a language are not independent. ``None`` with fewer than three donors or targets.
        partial: Spearman's partial correlation given all other features; ``None`` without others.
        partial_interval: Its interval, as if pairs were independent.
    """

    feature: str
    pairs: int
    pearson: float
    pearson_p: float
    pearson_log: float | None
    spearman: float
    spearman_p: float
    interval: Interval | None
    crossed_interval: Interval | None
    partial: float | None = None
    partial_interval: Interval | None = None


def correlate(table: PairTable, feature: str, *, resamples: int = RESAMPLES, seed: int = 0) -> Correlation | None:
    """Correlate one feature with the outcome as it was measured (a perplexity stays a perplexity).

    Args:
        table: The pairs.
        feature: The feature.
        resamples: How often donors and targets are drawn again.
        seed: Decides what is drawn.

    Returns:
        The correlations; ``None`` with fewer than four pairs that know the feature, or where all its values, or all
        outcomes, are equal.
    """
    from scipy.stats import pearsonr, spearmanr

    values = table.features[feature]
    known = ~np.isnan(values)
    x, y = values[known], table.outcome[known]
    if len(x) < 4 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    pearson, spearman = pearsonr(x, y), spearmanr(x, y)
    log = float(pearsonr(x, np.log(y)).statistic) if (y > 0).all() else None
    partial = partial_spearman(table, feature)
    return Correlation(
        feature, len(x), float(pearson.statistic), float(pearson.pvalue), log,
        float(spearman.statistic), float(spearman.pvalue), rank_interval(float(spearman.statistic), len(x)),
        _crossed_interval(table, known, x, y, resamples, seed), *partial,
    )  # fmt: skip


def rank_interval(rho: float, pairs: int, given: int = 0) -> Interval | None:
    """Spearman's 95% interval ``tanh(atanh ρ ± 1.96 √((1 + ρ²/2) / (n − k − 3)))`` (Bonett and Wright 2000).

    Args:
        rho: The correlation.
        pairs: n.
        given: k, the variables that are held fixed.

    Returns:
        The interval; ``None`` with too few pairs, and for a correlation of one, which has no error by this formula.
    """
    from scipy.stats import norm

    free = pairs - given - 3
    if free < 1 or abs(rho) >= 1:
        return None
    half = float(norm.ppf((1 + LEVEL) / 2)) * math.sqrt((1 + rho**2 / 2) / free)
    return Interval(math.tanh(math.atanh(rho) - half), math.tanh(math.atanh(rho) + half))


def partial_spearman(table: PairTable, feature: str) -> tuple[float | None, Interval | None]:
    """The correlation of what is left of the ranks of a feature and of the outcome, once the ranks of all other
    features have explained their part of both by least squares.

    Args:
        table: The pairs; those that lack a feature are left out.
        feature: The feature.

    Returns:
        The correlation and its interval; nothing where there is no other feature, or too few pairs for them.
    """
    from scipy.stats import rankdata

    others = [name for name in table.features if name != feature]
    columns = np.stack([table.features[feature], *(table.features[name] for name in others)])
    known = ~np.isnan(columns).any(0)
    pairs = int(known.sum())
    if not others or pairs <= len(others) + 3:
        return None, None
    x, *given = (rankdata(column[known]) for column in columns)
    design = np.stack([np.ones(pairs), *given], axis=1)
    left = [
        ranks - design @ np.linalg.lstsq(design, ranks, rcond=None)[0] for ranks in (x, rankdata(table.outcome[known]))
    ]
    lengths = [float(np.linalg.norm(rest)) for rest in left]
    if min(lengths) < 1e-9 * pairs:
        return None, None
    rho = float(left[0] @ left[1]) / (lengths[0] * lengths[1])
    return rho, rank_interval(rho, pairs, len(others))


def crossed_bootstrap(
    donors: Sequence[str],
    targets: Sequence[str],
    figure: Callable[[npt.NDArray[np.int64]], float],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval | None:
    """The 95% percentile interval of a figure over pairs when donors and targets are drawn again (Owen 2007).

    A pair occurs as often as its donor was drawn times its target. The interval is wide rather than narrow.

    Args:
        donors: The donor of each pair.
        targets: The target of each pair.
        figure: The figure of some pairs, given by their positions; NaN where it has none.
        resamples: How often they are drawn.
        seed: Decides what is drawn.

    Returns:
        The interval; ``None`` with fewer than three donors or targets, or where the figure mostly has no value.
    """
    donor_names, of_donor = np.unique(np.array(donors), return_inverse=True)
    target_names, of_target = np.unique(np.array(targets), return_inverse=True)
    if min(len(donor_names), len(target_names)) < _FEWEST_LANGUAGES:
        return None
    draw = np.random.default_rng(seed)
    found, positions = [], np.arange(len(donors))
    for _ in range(resamples):
        times = [
            np.bincount(draw.integers(len(names), size=len(names)), minlength=len(names))
            for names in (donor_names, target_names)
        ]
        weights = times[0][of_donor] * times[1][of_target]
        found.append(figure(np.repeat(positions, weights)))
    finite = [value for value in found if math.isfinite(value)]
    if len(finite) < resamples / 2:
        return None
    low, high = np.quantile(finite, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))


def _crossed_interval(
    table: PairTable, known: npt.NDArray[np.bool_], x: Floats, y: Floats, resamples: int, seed: int
) -> Interval | None:
    donors, targets = (
        [name for name, has in zip(names, known, strict=True) if has] for names in (table.donors, table.targets)
    )
    return crossed_bootstrap(donors, targets, lambda at: spearman(x[at], y[at]), resamples=resamples, seed=seed)


def spearman(x: Floats, y: Floats) -> float:
    """Spearman's rank correlation; NaN where all values of a side are equal."""
    from scipy.stats import rankdata

    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return math.nan
    return float(np.corrcoef(rankdata(x), rankdata(y))[0, 1])


def detectable_correlation(pairs: int) -> float | None:
    """The smallest rank correlation that so many independent pairs find in four of five repetitions.

    The two-sided test has level 0.05; ``r`` solves ``atanh r = (1.960 + 0.842 √(1 + r²/2)) / √(n − 3)``, with the error
    that a rank correlation has where there is none, and the one that it has at ``r``.

    Args:
        pairs: n.

    Returns:
        The correlation; ``None`` with fewer than five pairs, which show none at all.
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    if pairs < 5:
        return None
    limit, beyond = float(norm.ppf((1 + LEVEL) / 2)), float(norm.ppf(POWER))

    def too_small(r: float) -> float:
        return math.atanh(r) - (limit + beyond * math.sqrt(1 + r**2 / 2)) / math.sqrt(pairs - 3)

    return float(brentq(too_small, 0, 1 - 1e-12))


def what_pairs_can_show(table: PairTable) -> str:
    """One sentence on the correlations that the number of pairs can show."""
    donors, targets = len(set(table.donors)), len(set(table.targets))
    smallest = detectable_correlation(len(table))
    counted = f"{len(table):,} pairs of {donors:,} donors and {targets:,} targets"
    if smallest is None:
        return f"{counted} can show no correlation, however strong."
    return (
        f"{counted} find a rank correlation of {smallest:.2f} or more in four of five repetitions if the pairs are "
        "independent; pairs that share a language are not, so truly it takes a stronger one, and a weaker one that is "
        "not found here is not shown to be absent."
    )
