"""Leaderboard of a benchmark suite: mean ranks with uncertainty over languages and tasks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lexigraft.core.evaluation.benchmark.record import BenchmarkRecord, ComparisonRecord
from lexigraft.core.evaluation.statistics.intervals import estimate
from lexigraft.core.evaluation.statistics.ranking import Rank, bradley_terry, mean_ranks


class Block(NamedTuple):
    """One metric of one comparison, which ranks all strategies once."""

    comparison: str
    metric: str
    lower_is_better: bool


@dataclass(frozen=True)
class Entry:
    """One strategy of a leaderboard.

    Attributes:
        label: The strategy.
        rank: Its mean rank over all blocks; None where it is not in every comparison.
        strength: Its log strength by Bradley and Terry over all blocks; None as before.
        recovered: The way from random rows (0) to each comparison's best (1) in bits per byte, mean over comparisons;
            None where a comparison lacks it or ``random``.
        seconds: Of one cell, mean over comparisons.
        figures: By block, mean over seeds.
    """

    label: str
    rank: Rank | None
    strength: Rank | None
    recovered: float | None
    seconds: float | None
    figures: Mapping[Block, float]


@dataclass(frozen=True)
class Leaderboard:
    """Every strategy of a suite, best mean rank first.

    Attributes:
        suite: The suite's name.
        blocks: What ranks them.
        entries: The strategies; those that are not in every comparison are last.
    """

    suite: str
    blocks: tuple[Block, ...]
    entries: tuple[Entry, ...]


def leaderboard(record: BenchmarkRecord) -> Leaderboard:
    """Rank the strategies of a record over its comparisons and metrics.

    Args:
        record: The record.
    """
    figures = dict(_figures(record))
    labels = list(dict.fromkeys(label for one in record.comparisons.values() for label in _contenders(one)))
    everywhere = [label for label in labels if all(label in _contenders(one) for one in record.comparisons.values())]
    ranks: dict[str, Rank] = {}
    strengths: dict[str, Rank] = {}
    if len(everywhere) > 1:
        sign = {True: 1, False: -1}
        signed = [
            [sign[block.lower_is_better] * means.get(label, math.nan) for label in everywhere]
            for block, means in figures.items()
        ]
        ranks = dict(zip(everywhere, mean_ranks(np.array(signed), lower=True), strict=True))
        strengths = dict(zip(everywhere, bradley_terry(np.array(signed), lower=True), strict=True))
    entries = [
        Entry(
            label,
            ranks.get(label),
            strengths.get(label),
            _recovered(record, label),
            _mean(one.seconds.get(label) for one in record.comparisons.values()),
            {block: means[label] for block, means in figures.items() if label in means},
        )
        for label in labels
    ]
    entries.sort(key=lambda entry: entry.rank.mean if entry.rank else math.inf)
    return Leaderboard(record.suite, tuple(figures), tuple(entries))


def _contenders(one: ComparisonRecord) -> list[str]:
    return [label for label in one.labels if label not in one.bounds]


def _figures(record: BenchmarkRecord) -> Iterator[tuple[Block, dict[str, float]]]:
    """For each metric of each comparison the means over seeds by label."""
    for name, one in record.comparisons.items():
        for metric, found in one.metrics.items():
            means = {label: estimate(list(by.values())).mean for label, by in found.figures.items() if by}
            yield Block(name, metric, found.lower_is_better), means


def _recovered(record: BenchmarkRecord, label: str) -> float | None:
    shares = []
    for one in record.comparisons.values():
        metric = next(iter(one.metrics.values()))
        means = {n: estimate(list(by.values())).mean for n, by in metric.figures.items() if by and n not in one.bounds}
        if label not in means or "random" not in means:
            return None
        best = min(means.values()) if metric.lower_is_better else max(means.values())
        if best == means["random"]:
            return None
        shares.append((means["random"] - means[label]) / (means["random"] - best))
    return math.fsum(shares) / len(shares)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None
