"""The study that a recipe describes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lexigraft.api.compare.study import ComparisonStudy
from lexigraft.api.study.study import ReportFiles, Study
from lexigraft.api.transfer.study import TransferStudy
from lexigraft.core.config.recipe import CompareSettings
from lexigraft.core.config.recipe_files import read_study_recipe
from lexigraft.core.config.transfer_recipe import TransferSettings

StudyRecipe = str | Path | CompareSettings | TransferSettings


def study_of(recipe: StudyRecipe, overrides: Mapping[str, Any] | None = None) -> Study[ReportFiles]:
    """The study of a recipe.

    Args:
        recipe: A YAML recipe, or its settings.
        overrides: Dotted recipe keys with other values.

    Raises:
        LexigraftError: The recipe cannot be read, or is wrong.
    """
    settings = read_study_recipe(Path(recipe), overrides) if isinstance(recipe, str | Path) else recipe
    return TransferStudy(settings) if isinstance(settings, TransferSettings) else ComparisonStudy(settings)
