"""A comparison from its recipe to its report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lexigraft.api.compare.study import ComparisonStudy
from lexigraft.api.study.finished import Finished
from lexigraft.api.study.run import run_study
from lexigraft.core.config.recipe import CompareSettings
from lexigraft.core.config.recipe_files import read_recipe
from lexigraft.core.evaluation.cells.runner import Progress
from lexigraft.report.writer import ReportPaths

Compared = Finished[ReportPaths]
"""A finished comparison."""


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
    return run_study(
        ComparisonStudy(settings), Path(out), jobs=jobs, backend=backend, backend_config=backend_config,
        max_parallel=max_parallel, say=say, progress=progress,
    )  # fmt: skip
