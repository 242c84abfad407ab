"""Mixed model with crossed random effects of donor and target."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lexigraft.core.transfer.correlation import LEVEL, Interval
from lexigraft.core.transfer.pairs import Floats, PairTable


class FixedEffect(NamedTuple):
    """Change of the gain when a feature rises by one standard deviation."""

    value: float
    interval: Interval


@dataclass(frozen=True)
class CrossedEffects:
    """Where the gains vary, by ``y = μ + x β + donor + target + residual``, each with a variance of its own.

    Attributes:
        pairs: Pairs that were fitted.
        donor_share: The donors' share of the variance that the features leave.
        target_share: The targets' share.
        residual_share: The pairs' own share, with all noise.
        fixed: The coefficient of each feature.
        donors: The predicted effect of each donor, shrunk towards zero as its data are few.
        targets: The predicted effect of each target.
    """

    pairs: int
    donor_share: float
    target_share: float
    residual_share: float
    fixed: Mapping[str, FixedEffect]
    donors: Mapping[str, float]
    targets: Mapping[str, float]


def crossed_effects(table: PairTable, features: Sequence[str] = ()) -> CrossedEffects | None:
    """Fit the model by restricted maximum likelihood (Patterson and Thompson 1971); pairs may be missing.

    Where the table is complete and no variance is zero, the variances are those of the two-way analysis of variance.
    Intervals of coefficients are by Student's t with min(donors, targets) − 1 degrees of freedom, because so many
    languages, not so many pairs, were sampled.

    Args:
        table: The pairs; those that lack a feature are left out.
        features: The fixed effects, scaled to a standard deviation of one.

    Returns:
        The fit; ``None`` where donors, targets and pairs cannot be told apart: fewer than two of either, or no more
        pairs than one for each language and feature.
    """
    from scipy.optimize import minimize

    columns = [table.features[name] for name in features]
    known = ~np.isnan(np.stack([table.better, *columns])).any(0)
    y = table.better[known]
    donors, of_donor = np.unique(np.array(table.donors)[known], return_inverse=True)
    targets, of_target = np.unique(np.array(table.targets)[known], return_inverse=True)
    languages = len(donors) + len(targets)
    if min(len(donors), len(targets)) < 2 or len(y) <= languages + len(columns) - 1 or np.ptp(y) == 0:
        return None
    scaled = [_standardized(column[known]) for column in columns]
    if any(column is None for column in scaled):
        return None
    x = np.stack([np.ones(len(y)), *(column for column in scaled if column is not None)], axis=1)
    if np.linalg.matrix_rank(x) < x.shape[1]:
        return None
    z = np.zeros((len(y), languages))
    z[np.arange(len(y)), of_donor] = 1
    z[np.arange(len(y)), len(donors) + of_target] = 1
    products = _Products(z.T @ z, z.T @ x, z.T @ y, x.T @ x, x.T @ y, float(y @ y), len(y))
    sizes = np.array([len(donors), len(targets)])
    fits = [
        minimize(
            lambda ratios: _fit(products, np.repeat(ratios, sizes)).criterion,
            start,
            method="L-BFGS-B",
            bounds=[(0, 1e4)] * 2,
        )
        for start in ((0.0, 0.0), (1.0, 1.0), (3.0, 0.3), (0.3, 3.0))
    ]
    ratios = min(fits, key=lambda fit: float(fit.fun)).x
    best = _fit(products, np.repeat(ratios, sizes))
    total = 1 + float((ratios**2).sum())
    degrees = min(len(donors), len(targets)) - 1
    fixed = {name: _effect(float(best.beta[n]), float(best.errors[n]), degrees) for n, name in enumerate(features, 1)}
    effects = best.effects
    return CrossedEffects(
        len(y),
        float(ratios[0] ** 2) / total,
        float(ratios[1] ** 2) / total,
        1 / total,
        fixed,
        dict(zip(map(str, donors), map(float, effects[: len(donors)]), strict=True)),
        dict(zip(map(str, targets), map(float, effects[len(donors) :]), strict=True)),
    )


def _standardized(column: Floats) -> Floats | None:
    deviation = float(column.std())
    return None if deviation == 0 else (column - column.mean()) / deviation


def _effect(value: float, error: float, degrees: int) -> FixedEffect:
    from scipy.stats import t

    half = float(t.ppf((1 + LEVEL) / 2, degrees)) * error
    return FixedEffect(value, Interval(value - half, value + half))


class _Products(NamedTuple):
    """Inner products of the design: of random effects z, fixed effects x and gains y."""

    zz: Floats
    zx: Floats
    zy: Floats
    xx: Floats
    xy: Floats
    yy: float
    pairs: int


class _Fit(NamedTuple):
    """The model with given ratios of standard deviations."""

    criterion: float
    beta: Floats
    errors: Floats
    effects: Floats


def _fit(p: _Products, ratios: npt.NDArray[np.float64]) -> _Fit:
    """The restricted likelihood with ``V = I + (z r)(z r)'``, inverted through languages instead of pairs.

    ``V⁻¹ = I − z r M⁻¹ r z'`` with ``M = I + r z'z r``, and ``log |V| = log |M|``.
    """
    m = np.eye(len(ratios)) + ratios[:, None] * p.zz * ratios
    right = np.column_stack([p.zx, p.zy]) * ratios[:, None]
    solved = np.linalg.solve(m, right)
    cross = right.T @ solved
    count = p.xx.shape[0]
    xvx, xvy, yvy = p.xx - cross[:count, :count], p.xy - cross[:count, count], p.yy - cross[count, count]
    beta: Floats = np.linalg.solve(xvx, xvy).astype(np.float64)
    free = p.pairs - count
    left = max(float(yvy - beta @ xvy), 1e-12 * max(p.yy, 1e-300))
    determinants = float(np.linalg.slogdet(m)[1] + np.linalg.slogdet(xvx)[1])
    errors: Floats = np.sqrt(np.diag(np.linalg.inv(xvx)) * left / free)
    effects = ratios * (solved[:, count] - solved[:, :count] @ beta)
    return _Fit(free * math.log(left) + determinants, beta, errors, effects)
