"""A transfer study from its recipe to its report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lexigraft.api.study.finished import Finished
from lexigraft.api.study.run import run_study
from lexigraft.api.transfer.study import TransferStudy
from lexigraft.core.config.recipe_files import read_settings
from lexigraft.core.config.transfer_recipe import TransferSettings
from lexigraft.core.evaluation.cells.runner import Progress
from lexigraft.report.transfer import TransferPaths

Transferred = Finished[TransferPaths]
"""A finished transfer study."""


def transfer(
    recipe: str | Path | TransferSettings,
    out: str | Path,
    *,
    overrides: Mapping[str, Any] | None = None,
    jobs: int = 1,
    backend: str | None = None,
    backend_config: str | Path | None = None,
    max_parallel: int = 1,
    say: Callable[[str], None] = lambda text: None,
    progress: Progress = lambda message, done, total: None,
) -> Transferred:
    """Run a transfer study, or resume one that was interrupted.

    Args:
        recipe: A YAML recipe, or its settings.
        out: The folder for results, report and trained tokenizers.
        overrides: Dotted recipe keys with other values.
        jobs: Cells at a time on this machine.
        backend: The launcher whose jobs run stages and cells, such as ``slurm``; None for this process.
        backend_config: Its configuration, a YAML or JSON file.
        max_parallel: Most jobs of the backend at a time.
        say: Called with a line on what is being prepared.
        progress: Called when a cell has finished.

    Returns:
        The results, with matrix and report written.

    Raises:
        LexigraftError: Anything wrong with the recipe or its inputs; or cells that failed (the others are kept).
    """
    if not isinstance(recipe, TransferSettings):
        recipe = read_settings(Path(recipe), TransferSettings, overrides)
    return run_study(
        TransferStudy(recipe), Path(out), jobs=jobs, backend=backend, backend_config=backend_config,
        max_parallel=max_parallel, say=say, progress=progress,
    )  # fmt: skip
