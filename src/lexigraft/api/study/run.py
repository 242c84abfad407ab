"""Run of a study, here or as jobs on other machines."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from lexigraft.api.study.finished import Finished
from lexigraft.api.study.remote import Backend, run_remotely
from lexigraft.api.study.study import R, Study
from lexigraft.api.tracking import open_tracker
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.cells.cell_store import load_results
from lexigraft.core.evaluation.cells.runner import Progress, run_cells
from lexigraft.core.utils.files import emptied_after_error, refuse_other_output

JOBS_PER_CORE = 8
"""Most cells at a time for each processor core; each takes a process with libraries and a model of its own."""


def run_study(
    study: Study[R],
    folder: Path,
    *,
    jobs: int = 1,
    backend: str | None = None,
    backend_config: str | Path | None = None,
    max_parallel: int = 1,
    say: Callable[[str], None] = lambda text: None,
    progress: Progress = lambda message, done, total: None,
) -> Finished[R]:
    """Run a study in its folder, or resume one that was interrupted; the keywords are :class:`RunOptions`.

    Raises:
        LexigraftError: Anything wrong with the recipe or its inputs; or cells that failed (the others are kept).
    """
    if backend is not None:
        if jobs != 1:
            raise LexigraftError("jobs is for cells on this machine", jobs, "Give --max-parallel for a backend's jobs")
        where = Backend(backend, None if backend_config is None else Path(backend_config), max_parallel)
        return run_remotely(study, folder, where, say, progress)
    if backend_config is not None or max_parallel != 1:
        raise LexigraftError("backend_config and max_parallel are for a backend", "no backend", "Give --backend NAME")
    if jobs > (most := JOBS_PER_CORE * (os.cpu_count() or 1)):
        raise LexigraftError("this machine cannot run so many cells at a time", jobs, f"Give --jobs of at most {most}")
    refuse_other_output(folder)
    study.check()
    with emptied_after_error(folder):
        tracker = open_tracker(study.recipe.tracking, study.recipe.name, folder)
        opened = study.open(folder, say)
    comparison, text = opened.comparison, study.recipe_text
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
        unfinished = study.write_report(folder) if load_results(folder, comparison) else ()
        if tracker:
            tracker.finish(folder, unfinished, failed=True)
        raise
    report = study.write_report(folder)
    message = ""
    if tracker:
        message = tracker.finish(folder, report) or study.conclude(tracker, folder, say)
    return Finished(folder, comparison, tuple(results), report, tracker.uri if tracker else "", message)
