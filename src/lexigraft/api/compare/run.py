"""Comparison of strategies: from a recipe to a folder with results, report and tracked runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lexigraft.api.compare.register import register_winner
from lexigraft.api.compare.remote import Backend, compare_remotely
from lexigraft.api.compare.setup import check_comparison, open_comparison
from lexigraft.api.tracking import open_tracker
from lexigraft.core.config.recipe import CompareSettings
from lexigraft.core.config.recipe_files import read_recipe
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.cells.cell import CellResult, Comparison
from lexigraft.core.evaluation.cells.cell_store import load_results
from lexigraft.core.evaluation.cells.runner import Progress, run_cells
from lexigraft.core.utils.files import emptied_after_error, refuse_other_output
from lexigraft.report.writer import ReportPaths, write_report

JOBS_PER_CORE = 8
"""Most cells at a time for each processor core; each takes a process with libraries and a model of its own."""


@dataclass(frozen=True)
class Compared:
    """A finished comparison.

    Attributes:
        out: Its folder.
        comparison: What was compared on what.
        results: One result for each cell.
        report: Where the report is.
        store: The MLflow store that holds the runs, with its password; empty when tracking is off.
        tracking: A warning about the tracked runs; empty where all of them were logged as asked.
    """

    out: Path
    comparison: Comparison
    results: tuple[CellResult, ...]
    report: ReportPaths
    store: str = field(repr=False)
    tracking: str


def compare(
    recipe: str | Path | CompareSettings,
    out: str | Path,
    *,
    overrides: Mapping[str, Any] | None = None,
    jobs: int = 1,
    backend: str | None = None,
    backend_config: str | Path | None = None,
    max_parallel: int = 1,
    say: Callable[[str], None] = lambda text: None,
    progress: Progress = lambda message, done, total: None,
) -> Compared:
    """Run a comparison, or resume one that was interrupted.

    Args:
        recipe: A YAML recipe, or its settings.
        out: The folder for results, report, trained tokenizer, poor model and vectors.
        overrides: Dotted recipe keys with other values.
        jobs: Cells at a time on this machine.
        backend: The launcher whose jobs run stages and cells, such as ``slurm``; None for this process.
        backend_config: Its configuration, a YAML or JSON file.
        max_parallel: Most jobs of the backend at a time.
        say: Called with a line on what is being prepared.
        progress: Called when a cell has finished.

    Returns:
        The results, with the report written.

    Raises:
        LexigraftError: Anything wrong with the recipe or its inputs; or cells that failed (the others are kept).
    """
    settings = recipe if isinstance(recipe, CompareSettings) else read_recipe(Path(recipe), overrides)
    folder = Path(out)
    if backend is not None:
        if jobs != 1:
            raise LexigraftError("jobs is for cells on this machine", jobs, "Give --max-parallel for a backend's jobs")
        where = Backend(backend, None if backend_config is None else Path(backend_config), max_parallel)
        done = compare_remotely(settings, folder, where, say, progress)
        store = done.tracker.uri if done.tracker else ""
        return Compared(folder, done.comparison, done.results, done.report, store, done.tracking)
    if backend_config is not None or max_parallel != 1:
        raise LexigraftError("backend_config and max_parallel are for a backend", "no backend", "Give --backend NAME")
    if jobs > (most := JOBS_PER_CORE * (os.cpu_count() or 1)):
        raise LexigraftError("this machine cannot run so many cells at a time", jobs, f"Give --jobs of at most {most}")
    refuse_other_output(folder)
    checked = check_comparison(settings)
    with emptied_after_error(folder):
        tracker = open_tracker(settings.tracking, settings.name, folder)
        opened = open_comparison(checked, folder, say)
    comparison, text = opened.comparison, opened.recipe_text
    if tracker:
        tracker.start(comparison, text)
    try:
        results = run_cells(
            comparison.cells,
            opened.runner,
            folder,
            jobs=jobs,
            on_done=(lambda r: tracker.log_cell(r, folder)) if tracker else (lambda r: None),
            progress=progress,
            comparison=comparison,
            recipe=text,
        )
    except LexigraftError:
        unfinished = write_report(folder) if load_results(folder, comparison) else ()
        if tracker:
            tracker.finish(folder, unfinished, failed=True)
        raise
    report = write_report(folder)
    message = ""
    if tracker:
        message = tracker.finish(folder, report) or register_winner(opened, tracker, folder, say)
    return Compared(folder, comparison, tuple(results), report, tracker.uri if tracker else "", message)
