"""How evenly tokens are used, and how evenly languages are served."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

ALPHA = 2.5
"""The order of the Rényi entropy that Zouhar et al. (2023) recommend."""


def gini(costs: Sequence[float]) -> float:
    """The Gini coefficient of some costs: half of their mean absolute difference over their mean; 0 where all are 0."""
    values = np.sort(np.asarray(costs, np.float64))
    if not values.any():
        return 0.0
    ranks = 2 * np.arange(1, len(values) + 1) - len(values) - 1
    return float(ranks @ values / (len(values) * values.sum()))


def renyi_efficiency(counts: npt.NDArray[np.int64], alpha: float = ALPHA) -> float | None:
    """The Rényi entropy of a token distribution over that of the uniform one (Zouhar et al. 2023).

    Args:
        counts: How often each token occurs; tokens that never occur are no part of the vocabulary.
        alpha: The order, not 1.

    Returns:
        A share; ``None`` where fewer than two tokens occur.
    """
    seen = counts[counts > 0]
    if len(seen) < 2:
        return None
    probabilities = seen / seen.sum()
    entropy = math.log2(float((probabilities**alpha).sum())) / (1 - alpha)
    return entropy / math.log2(len(seen))
