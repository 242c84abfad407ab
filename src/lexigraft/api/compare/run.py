"""A comparison from its recipe to its report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Unpack

from lexigraft.api.compare.study import ComparisonStudy
from lexigraft.api.study.finished import Finished
from lexigraft.api.study.run import run_study
from lexigraft.api.study.run_options import RunOptions
from lexigraft.core.config.recipe import CompareSettings
from lexigraft.core.config.recipe_files import read_recipe
from lexigraft.report.writer import ReportPaths

Compared = Finished[ReportPaths]
"""A finished comparison."""


def compare(
    recipe: str | Path | CompareSettings,
    out: str | Path,
    *,
    overrides: Mapping[str, Any] | None = None,
    **options: Unpack[RunOptions],
) -> Compared:
    """Run a comparison, or resume one that was interrupted.

    Args:
        recipe: A YAML recipe, or its settings.
        out: The folder for results, report, trained tokenizer, poor model and vectors.
        overrides: Dotted recipe keys with other values.
        **options: How the cells run, such as ``jobs=2``; see :class:`RunOptions`.

    Returns:
        The results, with the report written.

    Raises:
        LexigraftError: Anything wrong with the recipe or its inputs; or cells that failed (the others are kept).
    """
    settings = recipe if isinstance(recipe, CompareSettings) else read_recipe(Path(recipe), overrides)
    return run_study(ComparisonStudy(settings), Path(out), **options)
