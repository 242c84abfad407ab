"""Registration of a comparison's winner in MLflow's model registry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lexigraft.api.compare.setup import Checked, open_comparison
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.cells.cell import Cell
from lexigraft.core.evaluation.cells.cell_store import cell_folder, cell_lock
from lexigraft.report.data import read_report
from lexigraft.report.metric_names import TARGET

if TYPE_CHECKING:
    from lexigraft.adapters.tracking.tracker import MlflowTracker

MODEL = "model"


def register_winner(checked: Checked, tracker: MlflowTracker, folder: Path, say: Callable[[str], None]) -> str:
    """Log and register the model of the best strategy's best seed, under the name that the recipe gives.

    Args:
        checked: The recipe of the finished comparison, with its texts.
        tracker: Its tracker.
        folder: Its folder.
        say: Called with a line on what is being done.

    Returns:
        A warning; empty where the winner is registered.
    """
    name = checked.recipe.tracking.registered_model
    if not name:
        return ""
    try:
        winner = winner_of(folder)
        model = kept_model(checked, winner, folder, say)
        version = tracker.register(winner.key, model, name, checked.texts.heldout.lines[0])
    except Exception as error:
        reason = " ".join(str(error).split())
        return f"the winner was not registered as {name} ({reason}); the same `lexigraft compare` tries again"
    say(f"registered {winner.title} as {name}, version {version}")
    return ""


def winner_of(folder: Path) -> Cell:
    """The cell of the best strategy, bounds left aside, with the seed that ended lowest.

    Raises:
        LexigraftError: No strategy has a figure at its end.
    """
    report = read_report(folder)
    best = next((row for row in report.rows if row.final is not None and not row.is_bound), None)
    if best is None:
        raise LexigraftError("no strategy has won", folder, "Look at the report")
    ends = [(r.value(TARGET), r.cell.seed, r.cell) for r in report.results if r.cell.label == best.label]
    return min((value, seed, cell) for value, seed, cell in ends if value is not None)[2]


def kept_model(checked: Checked, cell: Cell, folder: Path, say: Callable[[str], None]) -> Path:
    """The folder of a cell's model; where the comparison kept none, the cell is run again to make it.

    Raises:
        LexigraftError: The comparison adapts nothing.
    """
    model = cell_folder(folder, cell) / MODEL
    if checked.recipe.adaptation.steps == 0:
        raise LexigraftError("a comparison without adaptation has no model", "adaptation.steps is 0", "Use graft")
    mark = model.with_name(f".{MODEL}.unfinished")
    with cell_lock(folder, cell):
        if mark.exists() or not (model / "config.json").exists():
            say(f"running {cell.title} again, because its model was not kept (keep_models)")
            recipe = checked.recipe.model_copy(update={"keep_models": True})
            mark.touch()  # what a kill leaves is no model
            open_comparison(replace(checked, recipe=recipe), folder, say).runner(cell)
            mark.unlink()
    return model
