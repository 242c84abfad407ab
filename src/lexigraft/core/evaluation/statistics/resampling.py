"""Bootstrap intervals and permutation tests of a paired difference, which assume no distribution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lexigraft.core.evaluation.scores import ItemScores

RESAMPLES = 1999
_BATCH = 2**22
"""Numbers that are held at once."""


def bootstrap_interval(
    ours: Sequence[ItemScores], theirs: Sequence[ItemScores], *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """The 95% percentile interval of a difference: items are drawn again, and seeds too where there are several.

    With few seeds it is too narrow, because a variance of three values, drawn again, is by a third too small:
    :func:`~lexigraft.core.evaluation.statistics.paired_comparison.difference` has the interval that holds then.

    Args:
        ours: The items' outcomes for each seed.
        theirs: The same items with the same seeds by another model.
        resamples: How often they are drawn.
        seed: Decides what is drawn.

    Returns:
        The lower and the upper end of ours minus theirs.
    """
    from scipy.stats import bootstrap

    tables = _tables(ours, theirs)
    seeds, items = tables[0].shape

    def of_items(drawn: npt.NDArray[np.int64], axis: int = -1) -> Any:
        return _differences(tables, np.arange(seeds), drawn)

    def of_both(drawn: npt.NDArray[np.int64], drawn_seeds: npt.NDArray[np.int64], axis: int = -1) -> Any:
        return _differences(tables, drawn_seeds, drawn)

    samples = (np.arange(items), np.arange(seeds)) if seeds > 1 else (np.arange(items),)
    found = bootstrap(
        samples,
        of_both if seeds > 1 else of_items,
        n_resamples=resamples,
        batch=max(1, _BATCH // (items * seeds)),
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(found.low), float(found.high)


def permutation_p(
    ours: Sequence[ItemScores], theirs: Sequence[ItemScores], *, resamples: int = 5 * RESAMPLES, seed: int = 0
) -> float:
    """The two-sided p-value of no difference on these items and seeds: which model is which is swapped item by item.

    Args:
        ours: The items' outcomes for each seed.
        theirs: The same items with the same seeds by another model.
        resamples: How many ways of swapping are tried; all of them where there are fewer.
        seed: Decides which.
    """
    from scipy.stats import permutation_test

    above, below, *others = _tables(ours, theirs)
    above, below = np.concatenate([above, others[0]], 1), np.concatenate([below, others[1]], 1)
    seeds, items = np.arange(len(above)), above.shape[1] // 2

    def statistic(one: npt.NDArray[np.int64], two: npt.NDArray[np.int64], axis: int = -1) -> Any:
        return _ratio(above, below, seeds, one) - _ratio(above, below, seeds, two)

    found = permutation_test(
        (np.arange(items), np.arange(items, 2 * items)),
        statistic,
        permutation_type="samples",
        n_resamples=resamples,
        batch=max(1, _BATCH // (items * len(seeds))),
        vectorized=True,
        rng=np.random.default_rng(seed),
    )
    return float(found.pvalue)


Table = npt.NDArray[np.float64]


def _tables(ours: Sequence[ItemScores], theirs: Sequence[ItemScores]) -> tuple[Table, Table, Table, Table]:
    """Our numerators and denominators and theirs, each ``(seeds, items)``."""
    one, two, three, four = (np.stack([scores[part] for scores in side]) for side in (ours, theirs) for part in (0, 1))
    return one, two, three, four


def _differences(
    tables: tuple[Table, Table, Table, Table], seeds: npt.NDArray[np.int64], items: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    return _ratio(*tables[:2], seeds, items) - _ratio(*tables[2:], seeds, items)


def _ratio(
    above: Table, below: Table, seeds: npt.NDArray[np.int64], items: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """The mean over seeds of the figure on chosen items; leading axes of both are draws."""
    at = (seeds[..., :, None], items[..., None, :])
    mean: npt.NDArray[np.float64] = (above[at].sum(-1) / below[at].sum(-1)).mean(-1)
    return mean
