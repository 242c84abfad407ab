"""A transfer study from its recipe to its report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Unpack

from lexigraft.api.study.finished import Finished
from lexigraft.api.study.run import run_study
from lexigraft.api.study.run_options import RunOptions
from lexigraft.api.transfer.study import TransferStudy
from lexigraft.core.config.recipe_files import read_settings
from lexigraft.core.config.transfer_recipe import TransferSettings
from lexigraft.report.transfer.writer import TransferPaths

Transferred = Finished[TransferPaths]
"""A finished transfer study."""


def transfer(
    recipe: str | Path | TransferSettings,
    out: str | Path,
    *,
    overrides: Mapping[str, Any] | None = None,
    **options: Unpack[RunOptions],
) -> Transferred:
    """Run a transfer study, or resume one that was interrupted.

    Args:
        recipe: A YAML recipe, or its settings.
        out: The folder for results, report and trained tokenizers.
        overrides: Dotted recipe keys with other values.
        **options: How the cells run, such as ``jobs=2``; see :class:`RunOptions`.

    Returns:
        The results, with matrix and report written.

    Raises:
        LexigraftError: Anything wrong with the recipe or its inputs; or cells that failed (the others are kept).
    """
    if not isinstance(recipe, TransferSettings):
        recipe = read_settings(Path(recipe), TransferSettings, overrides)
    return run_study(TransferStudy(recipe), Path(out), **options)
