"""Execution of one cell, in this process or another."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.cells.cell import Cell, CellResult
from lexigraft.core.evaluation.cells.cell_store import cell_lock, load_result, save_result


@dataclass(frozen=True)
class Failure:
    """Why a cell failed, as one line and as the full text of ``error.txt``."""

    message: str
    detail: str


def finish_cell(run_cell: Callable[[Cell], CellResult], cell: Cell, out: Path) -> CellResult:
    """Run one cell and store its result, unless another process has finished it: the one way in which a cell is run.

    Args:
        run_cell: Makes the result.
        cell: The cell.
        out: The comparison's folder.

    Raises:
        LexigraftError: Another process is running the cell, or what ``run_cell`` raises.
    """
    with cell_lock(out, cell):
        if (found := load_result(out, cell)) is not None:
            return found
        result = run_cell(cell)
        if result.cell != cell:
            raise ValueError(f"asked for {cell.title} but got the result of {result.cell.title}")
        save_result(out, result)
    return result


def failure_of(error: Exception) -> Failure:
    """A failure as it is kept: of a user's mistake the message, of anything else the traceback."""
    if isinstance(error, LexigraftError):
        return Failure(str(error), f"{error}\n")
    return Failure(f"{type(error).__name__}: {error}", "".join(traceback.format_exception(error)))


def store_cell(run_cell: Callable[[Cell], CellResult], cell: Cell, out: Path) -> CellResult | Failure:
    """Run one cell and store its result; every exception but an interruption becomes a ``Failure``."""
    try:
        return finish_cell(run_cell, cell, out)
    except Exception as error:
        return failure_of(error)


_run_cell: Callable[[Cell], CellResult] | None = None
"""What this spawned process calls for each cell; kept, so that the cells' shared inputs are opened once."""


def start_worker(threads: int, run_cell: Callable[[Cell], CellResult]) -> None:
    """Prepare a spawned process: it uses its share of threads, ignores Ctrl-C, and ends when its parent ends.

    Args:
        threads: Threads for this process's arithmetic.
        run_cell: What it calls for each cell.
    """
    global _run_cell
    _run_cell = run_cell
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import torch

    torch.set_num_threads(threads)


def store_cell_in_worker(cell: Cell, out: Path) -> CellResult | Failure:
    """As :func:`store_cell`, with what :func:`start_worker` was given."""
    assert _run_cell is not None
    return store_cell(_run_cell, cell, out)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
