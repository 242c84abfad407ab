"""Figures of an evaluation and the outcomes of its items."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lexigraft.core.errors import LexigraftError

Floats = npt.NDArray[np.float64]


class ItemScores(NamedTuple):
    """What each item adds to a figure.

    The figure is the sum of the numerators over the sum of the denominators.

    An accuracy has 0 or 1 over 1; a micro-F1 has 2 TP over 2 TP + FP + FN; bits per byte have bits over bytes.

    Attributes:
        numerators: For each item, ``(items,)``.
        denominators: For each item, ``(items,)``.
    """

    numerators: Floats
    denominators: Floats

    @classmethod
    def of(cls, numerators: npt.ArrayLike, denominators: npt.ArrayLike | None = None) -> ItemScores:
        """Item scores from any sequences; without denominators every item counts as one."""
        above = np.asarray(numerators, np.float64)
        below = np.ones_like(above) if denominators is None else np.asarray(denominators, np.float64)
        return cls(above, below)

    @property
    def ratio(self) -> float:
        """The figure: NaN where the denominators add up to zero."""
        below = math.fsum(self.denominators)
        return math.fsum(self.numerators) / below if below else math.nan


@dataclass(frozen=True)
class Scores:
    """What an evaluator measured.

    Attributes:
        figures: Values by name; the first one is the main figure.
        items: The items' outcomes of the figures that are ratios of sums, by the figure's name, in the data's order.
        notes: Sentences worth showing, such as counts of repaired labels.
    """

    figures: Mapping[str, float]
    items: Mapping[str, ItemScores] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, items: Mapping[str, ItemScores], figures: Mapping[str, float] | None = None, notes: Sequence[str] = ()
    ) -> Scores:
        """Scores whose first figures are the ratios of the items; further figures follow."""
        return cls({name: scores.ratio for name, scores in items.items()} | dict(figures or {}), items, tuple(notes))

    @property
    def main(self) -> str:
        """The name of the main figure."""
        return next(iter(self.figures))


def refuse_nan(scores: Scores, evaluator: str, data: str) -> None:
    """Refuse scores without numbers.

    Args:
        scores: The scores.
        evaluator: The evaluator's name.
        data: What was measured.

    Raises:
        LexigraftError: A figure is NaN.
    """
    if bad := sorted(figure for figure, value in scores.figures.items() if math.isnan(value)):
        raise LexigraftError(
            f"evaluator {evaluator} gives no number on {data}",
            ", ".join(bad),
            "The model's logits are NaN: its weights are damaged, or its training diverged",
        )
