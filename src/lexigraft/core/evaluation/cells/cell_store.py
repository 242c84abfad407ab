"""Folder of a comparison with the results of its cells."""

from __future__ import annotations

import json
import os
from contextlib import AbstractContextManager
from pathlib import Path

from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.cells.cell import Cell, CellResult, Comparison
from lexigraft.core.utils.files import lock_file, write_whole

DAMAGED = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
"""What reading of a file that is no result raises."""
CELL_LOCK_SECONDS = 180.0
RESULT, FAILURE, COMPARISON, RECIPE = "result.json", "error.txt", "comparison.json", "recipe.yaml"


def locked(folder: Path) -> AbstractContextManager[None]:
    """Lock the folder against other comparisons; the system releases the lock when the process ends in any way.

    Args:
        folder: The comparison's folder.

    Returns:
        A context manager that holds the lock. Entering it raises LexigraftError when another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    hint = "Wait for it to end, or give another --out"
    return lock_file(folder / ".lock", LexigraftError("another comparison is writing this folder", folder, hint))


def cell_folder(folder: Path, cell: Cell) -> Path:
    """The folder of one cell."""
    return folder / "cells" / cell.folder


def cell_lock(folder: Path, cell: Cell) -> AbstractContextManager[None]:
    """Keep other processes from running a cell: a second one waits a while, and then finds it finished or is refused.

    It waits because a file server frees the locks of a machine that died only after some time. On a network file system
    without locks two processes may run the same cell; they then write the same result, each whole.

    Args:
        folder: The comparison's folder.
        cell: The cell.
    """
    home = cell_folder(folder, cell)
    home.mkdir(parents=True, exist_ok=True)
    hint = "Wait for it to end; its result is kept"
    refusal = LexigraftError("another process is running this cell", cell.title, hint)
    return lock_file(home / ".lock", refusal, remove=True, wait_seconds=CELL_LOCK_SECONDS)


def save_result(folder: Path, result: CellResult) -> None:
    """Write a cell's result atomically, which marks the cell as finished, and delete an earlier failure."""
    home = cell_folder(folder, result.cell)
    write_whole(home / RESULT, json.dumps(result.as_json(), indent=1, ensure_ascii=False))
    (home / FAILURE).unlink(missing_ok=True)


def load_result(folder: Path, cell: Cell) -> CellResult | None:
    """The finished result of exactly this cell; None when there is none, a damaged one, or one of another key."""
    try:
        values = json.loads((cell_folder(folder, cell) / RESULT).read_text(encoding="utf-8"))
        result = CellResult.from_json(values)
    except (OSError, *DAMAGED):
        return None
    same = (result.cell.label, result.cell.seed, result.cell.key) == (cell.label, cell.seed, cell.key)
    return result if same else None


def has_damaged_result(folder: Path, cell: Cell) -> bool:
    """Whether something lies in the place of the cell's result that is none."""
    path = cell_folder(folder, cell) / RESULT
    try:
        CellResult.from_json(json.loads(path.read_text(encoding="utf-8")))
    except DAMAGED:
        return True
    except OSError:
        return os.path.lexists(path)
    return False


def save_failure(folder: Path, cell: Cell, message: str) -> None:
    """Write the reason why a cell failed into its folder."""
    write_whole(cell_folder(folder, cell) / FAILURE, message)


def load_failure(folder: Path, cell: Cell) -> str | None:
    """Why the cell failed the last time it ran, or None."""
    try:
        return (cell_folder(folder, cell) / FAILURE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def save_comparison(folder: Path, comparison: Comparison, recipe: str) -> None:
    """Write ``comparison.json`` (cells and facts) and ``recipe.yaml``."""
    write_whole(folder / RECIPE, recipe)
    write_whole(folder / COMPARISON, json.dumps(comparison.as_json(), indent=1, ensure_ascii=False))


def load_comparison(folder: Path) -> Comparison:
    """The comparison written in a folder.

    Args:
        folder: The comparison's folder.

    Returns:
        Its cells, reference and facts.

    Raises:
        LexigraftError: The folder holds no comparison, or a damaged one.
    """
    path = folder / COMPARISON
    try:
        return Comparison.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError):
        hint = "Give the folder that `lexigraft compare --out` wrote"
        raise LexigraftError("no comparison in this folder", folder, hint) from None
    except DAMAGED as error:
        raise LexigraftError("the comparison's list of cells is damaged", path, f"{error}; run it again") from None


def load_results(folder: Path, comparison: Comparison) -> list[CellResult]:
    """The finished results of the comparison's own cells, in its order; other files in the folder are ignored."""
    results = (load_result(folder, cell) for cell in comparison.cells)
    return [result for result in results if result is not None]
