"""Data of a report, with one ranked row for each strategy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.cells.cell import CellResult, Comparison
from lexigraft.core.evaluation.cells.cell_store import RECIPE, load_comparison, load_results
from lexigraft.core.evaluation.token_groups import FREQUENCIES
from lexigraft.core.utils.secrets import masked_uris
from lexigraft.report.differences import Metric, Outcomes
from lexigraft.report.metric_names import FERTILITY, LOSSLESS, MOVED, OF_TOKENS, SOURCE, TARGET, UNKNOWN
from lexigraft.report.neighbors import Neighbors, read_neighbors
from lexigraft.report.remarks import notes_of, power_statement, remarks_of, unfinished_cells, warnings_of
from lexigraft.report.rows import Row, probe_step, ranked_rows

_SHOWN_ELSEWHERE = {TARGET, SOURCE, FERTILITY, LOSSLESS, UNKNOWN}


@dataclass(frozen=True)
class Report:
    """Everything a report shows, ranked.

    Attributes:
        comparison: What was compared on what.
        rows: The strategies, best first.
        measures: The further metrics that any row has, but for those of groups of tokens.
        target: Target bits per byte, with the differences between strategies.
        tasks: The main metric of each downstream task.
        token_groups: Held-out bits per byte of groups of tokens, by the group's name, those that were measured.
        source: Source bits per byte, what is kept of the source language; None where they are not measured.
        warnings: Sentences on figures that are unreliable.
        notes: The strategies' own notes.
        remarks: Sentences on rows that differ in body, tokenizer or budget.
        recipe: The recipe's text.
        results: The cells' results.
        neighbors: Rows of some tokens before and after adaptation; None where no cell kept them.
    """

    comparison: Comparison
    rows: tuple[Row, ...]
    measures: tuple[str, ...]
    target: Metric
    tasks: tuple[Metric, ...]
    token_groups: Mapping[str, Metric]
    source: Metric | None
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    remarks: tuple[str, ...]
    recipe: str
    results: tuple[CellResult, ...]
    neighbors: Neighbors | None

    @property
    def controls(self) -> dict[str, str]:
        """The label of each arm's control, without augmentation at equal tokens, by the arm's label."""
        return dict(self.comparison.facts.get("controls") or {})

    @property
    def tested(self) -> tuple[Metric, ...]:
        """The metrics whose differences are tested; of source text only those of arms."""
        source = (self.source,) if self.source is not None and self.controls else ()
        return (self.target, *source, *self.tasks)

    @property
    def probe_step(self) -> int:
        """The step of the early measurement."""
        return probe_step(self.comparison)


def read_report(folder: Path) -> Report:
    """Read a comparison's folder: its list of cells and those cells' results; other files are ignored.

    Args:
        folder: The comparison's folder.

    Returns:
        The ranked rows with everything the report says about them.

    Raises:
        LexigraftError: There is no comparison, or none of its cells is finished.
    """
    comparison = load_comparison(folder)
    results = load_results(folder, comparison)
    if not results:
        raise LexigraftError("no cell of this comparison is finished", folder, "Run `lexigraft compare` on it again")
    by_label = {n: found for n in comparison.labels if (found := [r for r in results if r.cell.label == n])}
    outcomes = Outcomes(folder)
    target = outcomes.metric(TARGET, by_label, comparison.reference, lower=True)
    tasks = tuple(_tasks(comparison, by_label, outcomes))
    source = outcomes.metric(SOURCE, by_label, comparison.reference, lower=True)
    file = folder / RECIPE
    recipe = masked_uris(file.read_text(encoding="utf-8")) if file.exists() else ""
    rows = ranked_rows(comparison, by_label, target, recipe)
    of_tasks = {task.name for task in tasks}
    metrics = (metric for row in rows for metric in sorted(row.measures))
    return Report(
        comparison,
        rows,
        tuple(dict.fromkeys(m for m in metrics if not _shown_elsewhere(m) and m not in of_tasks)),
        target,
        tasks,
        _token_groups(comparison, by_label, outcomes),
        source if any(one.figures for one in source.measured.values()) else None,
        (*unfinished_cells(folder, comparison, results), *warnings_of(comparison, rows)),
        tuple(notes_of(rows)),
        (*remarks_of(rows), *power_statement(rows, target)),
        recipe,
        tuple(results),
        read_neighbors(folder, comparison),
    )


def _tasks(
    comparison: Comparison, by_label: Mapping[str, Sequence[CellResult]], outcomes: Outcomes
) -> Iterator[Metric]:
    """The main metric of each task: the first one of it that a cell measured."""
    for name, facts in dict(comparison.facts.get("tasks") or {}).items():
        scores = (s.metric for found in by_label.values() for r in found for s in r.scores)
        if (metric := next((m for m in scores if m.endswith(f"/{name}")), None)) is not None:
            lower = bool(facts.get("lower_is_better"))
            yield outcomes.metric(metric, by_label, comparison.reference, lower=lower)


def _token_groups(
    comparison: Comparison, by_label: Mapping[str, Sequence[CellResult]], outcomes: Outcomes
) -> dict[str, Metric]:
    """Groups by frequency, and the moved tokens, as far as any strategy has figures of them."""
    names = {f"seen {name}": f"bits_per_byte_seen_{name}/heldout" for name in FREQUENCIES}
    names[MOVED] = "bits_per_byte_moved/heldout"
    found = {group: outcomes.metric(name, by_label, comparison.reference, lower=True) for group, name in names.items()}
    return {group: metric for group, metric in found.items() if any(m.figures for m in metric.measured.values())}


def _shown_elsewhere(metric: str) -> bool:
    return metric in _SHOWN_ELSEWHERE or metric.startswith(OF_TOKENS)
