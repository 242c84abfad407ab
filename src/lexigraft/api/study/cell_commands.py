"""Cells of a recipe by themselves: planned, prepared and run one at a time, each in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lexigraft.api.study.plan import Plan, Stage
from lexigraft.api.study.recipes import StudyRecipe, study_of
from lexigraft.api.study.study import Opened, ReportFiles, Study
from lexigraft.api.tracking import open_tracker
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.cells.cell import Cell, CellResult
from lexigraft.core.evaluation.cells.cell_store import cell_folder, load_result, load_results, save_failure
from lexigraft.core.evaluation.cells.worker import failure_of, finish_cell
from lexigraft.core.utils.distributed import processes
from lexigraft.core.utils.files import emptied_after_error, refuse_other_output

Say = Callable[[str], None]


@dataclass(frozen=True)
class CellRun:
    """A finished cell.

    Attributes:
        result: What it measured.
        folder: Where its result is.
        before: Whether it was finished before, so that nothing ran.
        tracking: A warning about the tracked run; empty where it was logged as asked.
    """

    result: CellResult
    folder: Path
    before: bool
    tracking: str


def plan_cells(
    recipe: StudyRecipe, out: str | Path | None = None, *, overrides: Mapping[str, Any] | None = None
) -> Plan:
    """The stages and cells of a recipe, with what is known about them now; nothing is made.

    Args:
        recipe: A YAML recipe, or its settings.
        out: The study's folder, for what is made already.
        overrides: Dotted recipe keys with other values.

    Raises:
        LexigraftError: Anything wrong with the recipe or its inputs.
    """
    study = study_of(recipe, overrides)
    study.check()
    return study.plan(None if out is None else Path(out))


def prepare_stage(
    recipe: StudyRecipe,
    stage: str,
    out: str | Path,
    *,
    overrides: Mapping[str, Any] | None = None,
    say: Say = lambda text: None,
) -> Stage:
    """Make one thing that cells share, where it is not made yet.

    Args:
        recipe: A YAML recipe, or its settings.
        stage: The stage's id.
        out: The study's folder.
        overrides: Dotted recipe keys with other values.
        say: Called with a line on what is being made.

    Raises:
        LexigraftError: The recipe has no such stage, or anything is wrong with it or its inputs.
    """
    study, folder = study_of(recipe, overrides), Path(out)
    refuse_other_output(folder)
    study.check()
    with emptied_after_error(folder):
        return study.make(stage, folder, say)


def run_cell(
    recipe: StudyRecipe,
    cell: str,
    out: str | Path,
    *,
    overrides: Mapping[str, Any] | None = None,
    track: bool = True,
    say: Say = lambda text: None,
) -> CellRun:
    """Run one cell of a recipe, unless it is finished, and store its result where ``compare`` or ``transfer`` finds it.

    Any number of processes may run cells in one folder: what they share is made by one of them, and no cell runs twice.
    Started in several processes by a launcher, all of them train the one cell; only the first one measures and stores.

    Args:
        recipe: A YAML recipe, or its settings.
        cell: The cell's id, ``label-sSEED``, or the name of its folder.
        out: The study's folder.
        overrides: Dotted recipe keys with other values.
        track: Whether the cell is logged in the recipe's MLflow store; who collects the results may do that instead.
        say: Called with a line on what is being done.

    Raises:
        LexigraftError: The recipe has no such cell, or anything is wrong with it or its inputs.
    """
    study, folder = study_of(recipe, overrides), Path(out)
    refuse_other_output(folder)
    study.check()
    with emptied_after_error(folder):
        opened = study.open(folder, say)
    found = study.find_cell(opened.comparison.cells, cell)
    before = load_result(folder, found)
    if before is not None:
        say(f"{found.title} was finished before")
    else:
        say(f"running {found.title}")
    try:
        result = before or _finish(study, opened, found, folder)
    except Exception as error:
        if processes().first:
            save_failure(folder, found, failure_of(error).detail)
        raise
    tracking = _log(study, opened, result, folder) if track and processes().first else ""
    return CellRun(result, cell_folder(folder, found), before is not None, tracking)


def _finish(study: Study[ReportFiles], opened: Opened, cell: Cell, folder: Path) -> CellResult:
    """Run a cell in this process, or in each of several."""
    here = processes()
    if here.count == 1:
        return finish_cell(opened.runner, cell, folder)
    study.refuse_processes(cell)
    _keep_to_one_gpu(here.local_index)
    if not here.first:
        return opened.runner(cell)

    def run(cell: Cell) -> CellResult:
        ran.append(cell)
        return opened.runner(cell)

    ran: list[Cell] = []
    result = finish_cell(run, cell, folder)
    if not ran:  # the other processes have begun, and would wait for this one without end
        raise LexigraftError("another start has finished this cell meanwhile", cell.title, "Its result is kept")
    return result


def _keep_to_one_gpu(index: int) -> None:
    """Let what asks for a GPU by no number get this process's own."""
    import torch

    if torch.cuda.is_available() and index < torch.cuda.device_count():
        torch.cuda.set_device(index)


def _log(study: Study[ReportFiles], opened: Opened, result: CellResult, folder: Path) -> str:
    """Log one cell under the study's parent run, which the first of several processes opens."""
    tracker = open_tracker(study.recipe.tracking, study.recipe.name, folder)
    if tracker is None:
        return ""
    tracker.start(opened.comparison, study.recipe_text)
    tracker.log_cell(result, folder)
    if len(load_results(folder, opened.comparison)) == len(opened.comparison.cells):
        return tracker.finish(folder)
    return tracker.problem(folder)
