"""Differences between the strategies of a comparison in one metric."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from lexigraft.core.evaluation.cells.cell import CellResult
from lexigraft.core.evaluation.cells.cell_store import cell_folder
from lexigraft.core.evaluation.item_store import items_file, load_items
from lexigraft.core.evaluation.scores import ItemScores
from lexigraft.core.evaluation.statistics.intervals import Estimate, estimate, holm
from lexigraft.core.evaluation.statistics.paired_comparison import Difference, difference, difference_of_seeds
from lexigraft.core.evaluation.statistics.ranking import ranks_within_error
from lexigraft.core.evaluation.statistics.resampling import bootstrap_interval, permutation_p


@dataclass(frozen=True)
class Measured:
    """What one strategy's cells measured of a metric at the end.

    Attributes:
        figures: By seed.
        items: The outcomes of single items by seed, where they were kept.
    """

    figures: Mapping[int, float]
    items: Mapping[int, ItemScores]

    @property
    def estimate(self) -> Estimate | None:
        """The mean over seeds; None as soon as one is not finite, for the mean of the others would be too good."""
        values = list(self.figures.values())
        return estimate(values) if values and all(map(math.isfinite, values)) else None

    @property
    def weight(self) -> float:
        """What the first seed's figure is over, such as bytes; 0 where the outcomes of items were not kept."""
        return float(next(iter(self.items.values())).denominators.sum()) if self.items else 0.0

    def minus(self, other: Measured) -> Difference | None:
        """The difference to another strategy over the seeds that both have; over items too where both kept them."""
        seeds = [seed for seed in self.figures if seed in other.figures]
        values = [(self.figures[seed], other.figures[seed]) for seed in seeds]
        if not seeds or not all(math.isfinite(value) for pair in values for value in pair):
            return None
        if (items := self.paired_items(other)) is not None:
            return difference(*items)
        return difference_of_seeds([ours - theirs for ours, theirs in values]) if len(seeds) > 1 else None

    def paired_items(self, other: Measured) -> tuple[list[ItemScores], list[ItemScores]] | None:
        """The outcomes of both for the seeds that both have; None where they are missing or are of other items."""
        seeds = [seed for seed in self.figures if seed in other.figures]
        if not seeds or any(seed not in side.items for seed in seeds for side in (self, other)):
            return None
        pairs = [self.items[seed] for seed in seeds], [other.items[seed] for seed in seeds]
        return pairs if len({len(scores.numerators) for side in pairs for scores in side}) == 1 else None


@dataclass(frozen=True)
class Metric:
    """One metric of a comparison at the end of adaptation, over all strategies.

    Attributes:
        name: The metric, such as ``accuracy/sib200``.
        lower_is_better: Whether a lower value is better.
        measured: What each strategy measured, by label.
        reference: The label that the others are tested against, if any.
    """

    name: str
    lower_is_better: bool
    measured: Mapping[str, Measured]
    reference: str | None

    @property
    def measure(self) -> str:
        """What is measured, such as ``accuracy``."""
        return self.name.partition("/")[0]

    @property
    def task(self) -> str:
        """The task that it is measured in, such as ``sib200``."""
        return self.name.partition("/")[2]

    @cached_property
    def against(self) -> dict[str, Difference]:
        """Each strategy less the reference, where there is a test."""
        if self.reference is None or self.reference not in self.measured:
            return {}
        reference = self.measured[self.reference]
        found = {label: one.minus(reference) for label, one in self.measured.items() if one is not reference}
        return {label: one for label, one in found.items() if one is not None}

    @cached_property
    def p_values(self) -> dict[str, float]:
        """P-values against the reference, Holm-corrected."""
        return holm({label: one.p for label, one in self.against.items()})

    def against_controls(self, controls: Mapping[str, str]) -> dict[str, tuple[Difference, float]]:
        """Each arm less its own control, where there is a test, with the Holm-corrected p-value.

        Args:
            controls: The label of each arm's control by the arm's label.
        """
        pairs = {
            label: self.measured[label].minus(self.measured[control])
            for label, control in controls.items()
            if label in self.measured and control in self.measured
        }
        found = {label: one for label, one in pairs.items() if one is not None}
        corrected = holm({label: one.p for label, one in found.items()})
        return {label: (one, corrected[label]) for label, one in found.items()}

    def ranks(self, labels: Sequence[str]) -> dict[str, int]:
        """Ranks among some strategies; those that are not told apart share one.

        Args:
            labels: Strategies; those without a finite figure get no rank.
        """
        means = {label: one.mean for label in labels if (one := self.measured[label].estimate) is not None}

        def p_value(ours: str, theirs: str) -> float | None:
            found = self.measured[ours].minus(self.measured[theirs])
            return None if found is None else found.p

        return ranks_within_error(list(means), means, p_value, lower=self.lower_is_better)

    def against_best(self, labels: Sequence[str]) -> dict[str, tuple[Difference, float]]:
        """Each of some strategies less the best of them, where there is a test, with its p-value.

        The p-values are Holm-corrected over all pairs, for the best is not known beforehand.

        Args:
            labels: Strategies; those without a finite figure are left out.
        """
        means = {label: one.mean for label in labels if (one := self.measured[label].estimate) is not None}
        ordered = sorted(means, key=means.__getitem__, reverse=not self.lower_is_better)
        tests = {
            (better, worse): found
            for better, worse in itertools.combinations(ordered, 2)
            if (found := self.measured[worse].minus(self.measured[better])) is not None
        }
        corrected = holm({f"{better}\n{worse}": one.p for (better, worse), one in tests.items()})
        return {
            worse: (one, corrected[f"{better}\n{worse}"])
            for (better, worse), one in tests.items()
            if better == ordered[0]
        }

    def lines(self, controls: Mapping[str, str], *, resample: bool = False) -> Iterator[dict[str, object]]:
        """Each difference against the reference, then each arm's against its own control, as a line of a table.

        Args:
            controls: The label of each arm's control by the arm's label.
            resample: Whether bootstrap and permutation are computed too, which takes seconds for each difference.
        """
        pairs_of = [(label, self.reference or "", one, self.p_values[label]) for label, one in self.against.items()]
        of_arms = self.against_controls(controls).items()
        pairs_of += [(arm, controls[arm], *found) for arm, found in of_arms if controls[arm] != self.reference]
        for label, reference, found, p_holm in pairs_of:
            line: dict[str, object] = {
                "metric": self.name, "strategy": label, "reference": reference, "difference": found.mean,
                "low": found.mean - found.half_width, "high": found.mean + found.half_width, "p": found.p,
                "p_holm": p_holm, "effect": found.effect, "detectable": found.detectable,
                "items": found.items, "seeds": found.seeds,
            }  # fmt: skip
            pairs = self.measured[label].paired_items(self.measured[reference]) if resample else None
            if pairs is not None and len(pairs[0][0].numerators) > 1:
                low, high = bootstrap_interval(*pairs)
                line |= {"bootstrap_low": low, "bootstrap_high": high, "p_permutation": permutation_p(*pairs)}
            yield line


class Outcomes:
    """Reads the outcomes of items that a comparison's cells kept, each file once.

    Args:
        folder: The comparison's folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: dict[Path, dict[str, ItemScores]] = {}

    def metric(
        self, name: str, results: Mapping[str, Sequence[CellResult]], reference: str | None, *, lower: bool
    ) -> Metric:
        """One metric over all strategies.

        Args:
            name: The metric.
            results: The cells' results by label.
            reference: The label that the others are tested against.
            lower: Whether a lower value is better.
        """
        return Metric(name, lower, {label: self._measured(name, found) for label, found in results.items()}, reference)

    def _measured(self, name: str, results: Sequence[CellResult]) -> Measured:
        figures = {r.cell.seed: value for r in results if (value := r.value(name)) is not None}
        items = {r.cell.seed: kept for r in results if (kept := self._items(name, r)) is not None}
        return Measured(figures, items)

    def _items(self, name: str, result: CellResult) -> ItemScores | None:
        steps = [score.step for score in result.scores if score.metric == name]
        if not steps:
            return None
        path = items_file(cell_folder(self.folder, result.cell), max(steps))
        if path not in self._files:
            self._files[path] = load_items(path)
        kept = self._files[path].get(name)
        return kept if kept is not None and np.isfinite(kept.numerators).all() else None
