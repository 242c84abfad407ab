"""Cells of a comparison, one strategy with one seed each, and their results."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

Plain = str | int | float | bool


def cell_name(label: str, seed: int) -> str:
    """A strategy with a seed as a name that is safe on every file system: ``label-sSEED``."""
    return f"{re.sub(r'[^A-Za-z0-9._+=,-]+', '_', label)[:80]}-s{seed}"


@dataclass(frozen=True)
class Cell:
    """One strategy with one seed.

    Attributes:
        label: The strategy's name in tables.
        seed: The seed of the graft and of the adaptation.
        body: Whose transformer body is kept, ``source`` or ``target``.
        key: Content hash of everything that makes the result; another key is another result.
        parameters: Every setting the result depends on, flat (they become MLflow parameters).
    """

    label: str
    seed: int
    body: str
    key: str
    parameters: Mapping[str, Plain] = field(default_factory=dict, hash=False)

    @property
    def folder(self) -> str:
        """The cell's folder name, safe on every file system: ``label-sSEED-KEY12``."""
        return f"{cell_name(self.label, self.seed)}-{self.key[:12]}"

    @property
    def title(self) -> str:
        """The cell's name in messages."""
        return f"{self.label} (seed {self.seed})"


@dataclass(frozen=True)
class Score:
    """One measured value: ``metric`` is ``NAME/TEXT``, for example ``bits_per_byte/heldout``, after ``step`` steps."""

    step: int
    metric: str
    value: float


@dataclass(frozen=True)
class CellResult:
    """What one finished cell measured.

    Attributes:
        cell: The cell.
        scores: Every metric at every step it was measured at.
        losses: ``(step, training loss in nats per predicted token)``.
        coverage: Counts of the graft: ``target_tokens``, ``new``, ``covered``, ``fallback``, ``matched/RULE``.
        cost: ``seconds``, ``graft_seconds`` (of it ``plan_seconds`` the strategy's own), ``adapt_seconds``,
            ``peak_rss_bytes``, ``learned_tokens`` before and ``tokens_trained`` in adaptation,
            ``trainable_parameters``.
        notes: Sentences worth showing in the report.
    """

    cell: Cell
    scores: tuple[Score, ...]
    losses: tuple[tuple[int, float], ...] = ()
    coverage: Mapping[str, int | float] = field(default_factory=dict)
    cost: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def value(self, metric: str, step: int | None = None) -> float | None:
        """The metric's value at a step (at the last measured step by default), or None where it was not measured."""
        values = {s.step: s.value for s in self.scores if s.metric == metric}
        if not values:
            return None
        return values.get(max(values) if step is None else step)

    def as_json(self) -> dict[str, Any]:
        """Plain values that ``from_json`` reads back to an equal result."""
        return {
            "cell": asdict(self.cell),
            "scores": [[s.step, s.metric, s.value] for s in self.scores],
            "losses": [[step, loss] for step, loss in self.losses],
            "coverage": dict(self.coverage),
            "cost": dict(self.cost),
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> CellResult:
        """The result that ``as_json`` wrote."""
        return cls(
            cell=Cell(**values["cell"]),
            scores=tuple(Score(int(step), str(metric), float(value)) for step, metric, value in values["scores"]),
            losses=tuple((int(step), float(loss)) for step, loss in values["losses"]),
            coverage=dict(values["coverage"]),
            cost=dict(values["cost"]),
            notes=tuple(values["notes"]),
        )


@dataclass(frozen=True)
class Comparison:
    """The cells and facts of a comparison, written to ``comparison.json`` before the first cell runs.

    Attributes:
        name: The recipe's name.
        cells: Every cell, in the recipe's order.
        reference: The label that the others are tested against, if any.
        facts: What was compared on what, shown in the report and logged as MLflow tags. Names with a meaning of
            their own: ``source``, ``target_tokenizer``, ``corpus_lines``, ``corpus_bytes``, ``heldout_lines``,
            ``corpus_hash``, ``tokenizer_hash``, ``recipe_hash``, ``steps``, ``batch_tokens``, ``tokens_trained``,
            ``probe_step``, ``device``, ``versions`` (a mapping), and those of :mod:`.cost_metadata`.
    """

    name: str
    cells: tuple[Cell, ...]
    reference: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def labels(self) -> tuple[str, ...]:
        """The strategies' labels, in the recipe's order."""
        return tuple(dict.fromkeys(c.label for c in self.cells))

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds, in the recipe's order."""
        return tuple(dict.fromkeys(c.seed for c in self.cells))

    def as_json(self) -> dict[str, Any]:
        """Plain values that ``from_json`` reads back to an equal comparison."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Comparison:
        """The comparison that ``as_json`` wrote."""
        cells = tuple(Cell(**c) for c in values["cells"])
        return cls(str(values["name"]), cells, values["reference"], dict(values["facts"]))


TRAINING_LOSS = "loss/train"
