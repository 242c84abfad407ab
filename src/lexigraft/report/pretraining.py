"""Pre-training of the target-language model that some strategies start from, as far as the recipe tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml
from pydantic import ValidationError

from lexigraft.core.config.recipe import PretrainSettings
from lexigraft.core.evaluation.cells.cell import Cell

POOR_MODEL = "poor_model"


def pretraining_tokens(cell: Cell, recipe: str) -> int | None:
    """Tokens of target text that the model which a cell starts from, or takes rows from, learned on before.

    Args:
        cell: The cell.
        recipe: The recipe's text.

    Returns:
        0 where it starts from the source alone; None where the model was given, so that nothing is known of it.
    """
    settings = _settings(recipe)
    as_donor = settings.get("donor") == POOR_MODEL and "donor" in cell.parameters
    if cell.body != "target" and POOR_MODEL not in cell.parameters and not as_donor:
        return 0
    poor = settings.get(POOR_MODEL)
    if not isinstance(poor, dict):
        return None
    try:
        pretraining = PretrainSettings.model_validate(poor)
    except ValidationError:
        return None
    return pretraining.steps * pretraining.batch_tokens


def _settings(recipe: str) -> Mapping[str, Any]:
    try:
        found = yaml.safe_load(recipe)
    except yaml.YAMLError:
        return {}
    return found if isinstance(found, dict) else {}
