"""Choice of a training objective for a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lexigraft.core.models.architecture import model_kind
from lexigraft.core.registry import make
from lexigraft.core.training.objective import DEFAULT_OBJECTIVE, Objective

if TYPE_CHECKING:
    from transformers import PretrainedConfig


def objective_for(config: PretrainedConfig, name: str | None, options: Mapping[str, Any]) -> Objective:
    """The named objective, or the one that suits the model; options that it lacks are refused.

    Raises:
        LexigraftError: An unknown objective or option.
    """
    chosen: Objective = make("objective", name or DEFAULT_OBJECTIVE[model_kind(config)], dict(options))
    return chosen
