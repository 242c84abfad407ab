"""Mean gains of donors and of targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lexigraft.core.evaluation.statistics.intervals import Estimate, estimate
from lexigraft.core.transfer.correlation import LEVEL, Interval
from lexigraft.core.transfer.pairs import PairTable


@dataclass(frozen=True)
class Share:
    """A share of pairs.

    Attributes:
        count: How many.
        of: Of how many.
        interval: The 95% interval by Wilson (1927).
    """

    count: int
    of: int
    interval: Interval

    @property
    def value(self) -> float:
        """The share itself."""
        return self.count / self.of


@dataclass(frozen=True)
class LanguageMean:
    """One donor over its targets, or one target over its donors.

    Attributes:
        language: The language.
        gain: Its mean over pairs with Student's 95% interval; the mean outcome, higher the better, without zero-shot
            figures.
        improved: Pairs that gain; ``None`` without zero-shot figures.
    """

    language: str
    gain: Estimate
    improved: Share | None


def language_means(table: PairTable, side: Literal["donor", "target"]) -> list[LanguageMean]:
    """Languages of one side, the largest mean gain first.

    Each interval is of one language alone: among twenty languages one lies outside of its own by chance.

    Args:
        table: The pairs.
        side: Whether donors or targets are listed.
    """
    values: dict[str, list[float]] = {}
    for language, gain in zip(table.donors if side == "donor" else table.targets, table.better, strict=True):
        values.setdefault(language, []).append(float(gain))
    means = [
        LanguageMean(
            language,
            estimate(own),
            None if table.gains is None else wilson(sum(gain > 0 for gain in own), len(own)),
        )
        for language, own in values.items()
    ]
    return sorted(means, key=lambda mean: -mean.gain.mean)


def wilson(count: int, of: int) -> Share:
    """A share with its interval."""
    from scipy.stats import binomtest

    interval = binomtest(count, of).proportion_ci(LEVEL, method="wilson")
    return Share(count, of, Interval(float(interval.low), float(interval.high)))
