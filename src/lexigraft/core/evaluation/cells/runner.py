"""Execution of a comparison's cells, in order or in parallel processes, resumed after an interruption."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from pathlib import Path

from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.cells.cell import Cell, CellResult, Comparison
from lexigraft.core.evaluation.cells.cell_store import (
    has_damaged_result,
    load_result,
    locked,
    save_comparison,
    save_failure,
)
from lexigraft.core.evaluation.cells.worker import Failure, start_worker, store_cell, store_cell_in_worker
from lexigraft.core.utils.process_pool import process_pool

RunCell = Callable[[Cell], CellResult]
Progress = Callable[[str, int, int], None]
"""Called with (message, cells done, cells in all)."""

_DIED = "the worker process died (out of memory?); try fewer --jobs"
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def _silent(message: str, done: int, total: int) -> None:
    """Show nothing."""


def run_cells(
    cells: Sequence[Cell],
    run_cell: RunCell,
    out: Path,
    *,
    jobs: int = 1,
    on_done: Callable[[CellResult], None] = lambda result: None,
    progress: Progress = _silent,
    comparison: Comparison | None = None,
    recipe: str = "",
) -> list[CellResult]:
    """Run every cell that is not finished yet, seed by seed, and store each result at once.

    Args:
        cells: The cells; seeds run outermost, so that early results cover every strategy.
        run_cell: Makes one result; must be picklable when ``jobs`` > 1.
        out: The comparison's folder; a result lies at ``cells/LABEL-sSEED-KEY12/result.json``.
        jobs: Cells at a time. Above 1 they run in spawned processes that share the machine's threads evenly.
        on_done: Called in this process with every result, those found finished included (a tracker may have
            missed the last one before an interruption).
        progress: Called with a message, the cells done and the cells in all.
        comparison: Written with ``recipe`` into the folder once it is locked.
        recipe: The recipe's YAML text.

    Returns:
        The results in the order of ``cells``.

    Raises:
        LexigraftError: Another process writes ``out``; or some cells failed (the others are finished and kept).
    """
    with locked(out):
        if comparison is not None:
            save_comparison(out, comparison, recipe)
        damaged = [cell.title for cell in cells if has_damaged_result(out, cell)]
        done = {cell: result for cell in cells if (result := load_result(out, cell)) is not None}
        for result in done.values():
            on_done(result)
        seeds = list(dict.fromkeys(c.seed for c in cells))
        waiting = sorted((c for c in cells if c not in done), key=lambda c: seeds.index(c.seed))
        failed: dict[Cell, str] = {}
        if damaged:
            progress(f"damaged results, run again: {', '.join(damaged)}", len(done), len(cells))
        if done:
            progress(f"{len(done)} finished before", len(done), len(cells))
        jobs = max(1, min(jobs, len(waiting)))
        outcomes = _in_turn(waiting, run_cell, out) if jobs == 1 else _in_pool(waiting, run_cell, out, jobs)
        with closing(outcomes):
            for cell, outcome in outcomes:
                if isinstance(outcome, CellResult):
                    done[cell] = outcome
                    on_done(outcome)
                else:
                    failed[cell] = outcome.message
                    save_failure(out, cell, outcome.detail)
                word = "failed" if cell in failed else "done"
                progress(f"{cell.title} {word}", len(done) + len(failed), len(cells))
    if failed:
        listed = "; ".join(f"{cell.title}: {why}" for cell, why in failed.items())
        kept = "Finished cells are kept; the same command runs only the failed ones again"
        hint = f"{kept}. Details: {out / 'cells'}/*/error.txt"
        raise LexigraftError(f"{len(failed)} of {len(cells)} cells failed", listed, hint)
    return [done[c] for c in cells]


Outcomes = Generator[tuple[Cell, CellResult | Failure], None, None]


def _in_turn(cells: Sequence[Cell], run_cell: RunCell, out: Path) -> Outcomes:
    for cell in cells:
        yield cell, store_cell(run_cell, cell, out)


def _in_pool(cells: Sequence[Cell], run_cell: RunCell, out: Path, jobs: int) -> Outcomes:
    """Run in spawned processes; when one dies, those that ran beside it run again one by one to find which it was."""
    threads = max(1, (os.cpu_count() or 1) // jobs)
    waiting, suspects = deque(cells), deque[Cell]()
    while waiting or suspects:
        queue, width = (suspects, 1) if suspects else (waiting, jobs)
        running: dict[Future[CellResult | Failure], Cell] = {}
        limited = _environment(dict.fromkeys(_THREAD_VARIABLES, str(threads)))
        with limited, process_pool(width, start_worker, (threads, run_cell)) as pool:
            try:
                while queue or running:
                    while queue and len(running) < width:
                        running[pool.submit(store_cell_in_worker, queue[0], out)] = queue[0]
                        queue.popleft()
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        outcome = future.result()
                        yield running.pop(future), outcome
            except BrokenProcessPool:
                for cell in running.values():
                    if (found := load_result(out, cell)) is not None:
                        yield cell, found
                    elif width == 1:
                        yield cell, Failure(_DIED, _DIED + "\n")
                    else:
                        suspects.append(cell)


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for the processes started inside the block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
