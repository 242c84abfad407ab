"""Ranks of methods in one comparison and over many."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lexigraft.core.evaluation.statistics.intervals import holm

Floats = npt.NDArray[np.float64]
SIGNIFICANT = 0.05
_PRIOR = 0.1
"""Wins and losses, as shares of one, of every method against an average one: nobody is infinitely strong."""


@dataclass(frozen=True)
class Rank:
    """A figure of a method over blocks, such as languages and tasks.

    Attributes:
        mean: Its value.
        low: The lower end of the 95% interval over blocks.
        high: The upper end.
    """

    mean: float
    low: float
    high: float


def ranks_within_error(
    names: Sequence[str], figures: Mapping[str, float], p_value: Callable[[str, str], float | None], *, lower: bool
) -> dict[str, int]:
    """A method's rank: one more than the methods that are better beyond error; those not told apart share a rank.

    Args:
        names: The methods.
        figures: Their figures.
        p_value: The p-value of a pair's difference; None where there is no test.
        lower: Whether lower figures are better.
    """
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    tests = {f"{i}": p for i, (a, b) in enumerate(pairs) if (p := p_value(a, b)) is not None}
    adjusted = holm(tests)
    ranks = dict.fromkeys(names, 1)
    for i, (a, b) in enumerate(pairs):
        if adjusted.get(str(i), 1.0) < SIGNIFICANT:
            ranks[b if (figures[a] < figures[b]) == lower else a] += 1
    return ranks


def mean_ranks(figures: Floats, *, lower: bool, resamples: int = 1999, seed: int = 0) -> list[Rank]:
    """The mean rank of each method over blocks, 1 the best, equal figures sharing theirs.

    Args:
        figures: ``(blocks, methods)``; a NaN is last.
        lower: Whether lower figures are better.
        resamples: How often the blocks are drawn again for the intervals.
        seed: Decides what is drawn.
    """
    return _over_blocks(_ranks(figures, lower), lambda ranks: ranks.mean(0), resamples, seed)


def bradley_terry(figures: Floats, *, lower: bool, resamples: int = 199, seed: int = 0) -> list[Rank]:
    """The log strength of each method by the model of Bradley and Terry (1952): P(i beats j) = s_i / (s_i + s_j).

    Log strengths have mean zero; a difference of 1 means odds of e to win a block. Found by Hunter's (2004) iteration,
    with a tenth of a win and of a loss against an average method added, so that a method that always wins stays finite.

    Args:
        figures: ``(blocks, methods)``; equal ones are half a win each, a NaN loses.
        lower: Whether lower figures are better.
        resamples: How often the blocks are drawn again for the intervals.
        seed: Decides what is drawn.
    """
    ranks = _ranks(figures, lower)
    wins = (ranks[:, :, None] < ranks[:, None, :]) + 0.5 * (ranks[:, :, None] == ranks[:, None, :])
    wins[:, np.arange(wins.shape[1]), np.arange(wins.shape[1])] = 0
    return _over_blocks(wins, lambda drawn: _strengths(drawn.sum(0)), resamples, seed)


def _ranks(figures: Floats, lower: bool) -> Floats:
    from scipy.stats import rankdata

    worst_last = np.where(np.isnan(figures), math.inf, figures if lower else -figures)
    ranks: Floats = np.asarray(rankdata(worst_last, axis=1), np.float64)
    return ranks


def _strengths(wins: Floats) -> Floats:
    games = wins + wins.T
    won = wins.sum(1) + _PRIOR
    strengths = np.ones(len(wins))
    for _ in range(1000):
        below = (games / (strengths[:, None] + strengths)).sum(1) + 2 * _PRIOR / (strengths + 1)
        new = won / below
        new /= math.exp(np.log(new).mean())
        if np.abs(np.log(new / strengths)).max() < 1e-9:
            break
        strengths = new
    logs: Floats = np.log(new)
    return logs


def _over_blocks(blocks: Floats, figure: Callable[[Floats], Floats], resamples: int, seed: int) -> list[Rank]:
    draw = np.random.default_rng(seed)
    count = len(blocks)
    drawn = np.stack([figure(blocks[draw.integers(count, size=count)]) for _ in range(resamples)])
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    return [Rank(*map(float, values)) for values in zip(figure(blocks), low, high, strict=True)]
