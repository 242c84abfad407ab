"""Prediction of gains by ridge regression, judged on pairs of which neither language was seen in fitting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lexigraft.core.errors import LexigraftError
from lexigraft.core.transfer.correlation import RESAMPLES, Interval, crossed_bootstrap, spearman
from lexigraft.core.transfer.pairs import Floats, PairTable


@dataclass(frozen=True)
class Improvement:
    """How well it is foreseen which pairs gain at all, where gains are known.

    Attributes:
        base_rate: The share of pairs that gain.
        majority_accuracy: The share of pairs that is right by always saying the more frequent answer.
        accuracy: The predictor's, which says "gains" where it predicts a gain above zero.
        balanced_accuracy: The mean of its shares right among pairs that gain and among those that don't; a constant
            answer has 0.5. ``None`` where all pairs gain, or none.
        auc: The chance that of two pairs the one that gains is predicted higher; 0.5 by chance. ``None`` likewise.
        auc_interval: Its interval with donors and targets drawn again.
    """

    base_rate: float
    majority_accuracy: float
    accuracy: float
    balanced_accuracy: float | None
    auc: float | None
    auc_interval: Interval | None


@dataclass(frozen=True)
class Prediction:
    """A predictor on held-out languages, beside the mean of the training pairs.

    Attributes:
        pairs: Pairs that were predicted.
        left_out: Pairs that lack a feature.
        features: The features.
        predicted: The prediction of each pair.
        r2: ``1 − Σ(y − ŷ)² / Σ(y − ȳ)²``; below zero it is worse than knowing the mean of these very pairs.
        r2_of_mean: The same of the mean baseline, which is the mean of each fold's training pairs.
        error: Root mean squared error.
        error_of_mean: The same of the mean baseline.
        spearman: Rank correlation of predicted and measured gains; the mean baseline ranks nothing. ``None`` where all
            are equal.
        spearman_interval: Its interval with donors and targets drawn again.
        improvement: Which pairs gain at all; ``None`` where no zero-shot figure is known.
    """

    pairs: int
    left_out: int
    features: tuple[str, ...]
    predicted: Floats
    r2: float
    r2_of_mean: float
    error: float
    error_of_mean: float
    spearman: float | None
    spearman_interval: Interval | None
    improvement: Improvement | None

    @property
    def verdict(self) -> str:
        """One sentence: does the predictor beat the mean baseline on languages that it has not seen?"""
        if self.error < self.error_of_mean:
            share = 1 - (self.error / self.error_of_mean) ** 2
            certain = self.spearman_interval is not None and self.spearman_interval.low > 0
            beyond = "" if certain else ", which the number of languages does not tell from chance"
            return f"The predictor explains {share:.0%} of the mean baseline's squared error{beyond}."
        return "The predictor is no better than the mean baseline on languages that it has not seen."


def predict_gains(
    table: PairTable,
    features: Sequence[str] | None = None,
    *,
    penalty: float = 1.0,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Prediction:
    """Predict each pair by ridge regression from the pairs that contain neither of its languages, on either side.

    Features are scaled to z-scores of the training pairs, gains are centered on their mean; the penalty is fixed, so
    nothing is chosen by looking at the pairs that are scored.

    Args:
        table: The pairs; those that lack a feature are left out.
        features: The features; all of the table by default.
        penalty: Ridge's α, with which ``Σ(y − zβ)² + α|β|²`` is smallest.
        resamples: How often donors and targets are drawn again for intervals.
        seed: Decides what is drawn.

    Raises:
        LexigraftError: No feature, or fewer pairs than features: in all, or once two languages are left out.
    """
    names = tuple(table.features if features is None else features)
    if not names:
        raise LexigraftError("there is nothing to predict from", hint="Name at least one feature")
    columns = np.stack([table.features[name] for name in names], axis=1)
    known = np.logical_not(np.isnan(columns).any(axis=1))
    x, y = columns[known], table.better[known]
    donors, targets = (
        np.array([name for name, has in zip(side, known, strict=True) if has]) for side in (table.donors, table.targets)
    )
    _refuse_few(len(y), len(names), "pairs know all features")
    numbers = np.unique(np.concatenate([donors, targets]), return_inverse=True)[1]
    of_donor, of_target = numbers[: len(y)], numbers[len(y) :]
    predicted, means = np.empty(len(y)), np.empty(len(y))
    for n in range(len(y)):
        one, two = of_donor[n], of_target[n]
        train = (of_donor != one) & (of_donor != two) & (of_target != one) & (of_target != two)
        _refuse_few(int(train.sum()), len(names), f"pairs are left without {donors[n]} and {targets[n]}")
        means[n] = y[train].mean()
        predicted[n] = _ridge(x[train], y[train], x[n], penalty)
    spread = float(((y - y.mean()) ** 2).sum())
    squares, squares_of_mean = (float(((y - guess) ** 2).sum()) for guess in (predicted, means))
    rank = spearman(predicted, y)
    listed = donors.tolist(), targets.tolist()
    return Prediction(
        pairs=len(y),
        left_out=int((~known).sum()),
        features=names,
        predicted=predicted,
        r2=1 - squares / spread if spread else math.nan,
        r2_of_mean=1 - squares_of_mean / spread if spread else math.nan,
        error=math.sqrt(squares / len(y)),
        error_of_mean=math.sqrt(squares_of_mean / len(y)),
        spearman=None if math.isnan(rank) else rank,
        spearman_interval=crossed_bootstrap(
            *listed, lambda at: spearman(predicted[at], y[at]), resamples=resamples, seed=seed
        ),
        improvement=None if table.gains is None else _improvement(predicted, y, listed, resamples, seed),
    )


def _refuse_few(pairs: int, features: int, which: str) -> None:
    if pairs <= features + 1:
        raise LexigraftError(
            "fewer pairs than features",
            f"{pairs} {which}; {features} features and a mean need more than {features + 1}",
            "Name fewer features, or measure more languages",
        )


def _ridge(x: Floats, y: Floats, asked: Floats, penalty: float) -> float:
    center, deviation = x.mean(0), x.std(0)
    scale = np.where(deviation > 0, deviation, np.inf)  # a constant feature says nothing
    z = (x - center) / scale
    beta = np.linalg.solve(z.T @ z + penalty * np.eye(z.shape[1]), z.T @ (y - y.mean()))
    return float(y.mean() + (asked - center) / scale @ beta)


def _improvement(
    predicted: Floats, gains: Floats, languages: tuple[list[str], list[str]], resamples: int, seed: int
) -> Improvement:
    better = gains > 0
    base, says = float(better.mean()), predicted > 0
    balanced, auc = None, area_under_curve(predicted, better)
    if 0 < base < 1:
        balanced = (float(says[better].mean()) + float((~says[~better]).mean())) / 2
    interval = crossed_bootstrap(
        *languages, lambda at: area_under_curve(predicted[at], better[at]), resamples=resamples, seed=seed
    )
    return Improvement(
        base,
        max(base, 1 - base),
        float((says == better).mean()),
        balanced,
        None if math.isnan(auc) else auc,
        interval,
    )


def area_under_curve(scores: Floats, positive: npt.NDArray[np.bool_]) -> float:
    """The chance that a positive case has a higher score than a negative one, a tie counting half; NaN without both."""
    from scipy.stats import rankdata

    ones = int(positive.sum())
    zeros = len(positive) - ones
    if not ones or not zeros:
        return math.nan
    return (float(rankdata(scores)[positive].sum()) - ones * (ones + 1) / 2) / (ones * zeros)
