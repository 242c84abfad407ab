"""Choice of a training objective for a model."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.architecture import model_kind
from lexigraft.core.registry import make
from lexigraft.core.training.objective import DEFAULT_OBJECTIVE, Objective, ObjectiveData, read_files

if TYPE_CHECKING:
    from transformers import PretrainedConfig

    from lexigraft.core.config.recipe import AdaptSettings


def objective_for(config: PretrainedConfig, name: str | None, options: Mapping[str, Any]) -> Objective:
    """The named objective, or the one that suits the model; options that it lacks are refused.

    Raises:
        LexigraftError: An unknown objective or option.
    """
    chosen: Objective = make("objective", name or DEFAULT_OBJECTIVE[model_kind(config)], dict(options))
    return chosen


def objective_data(settings: AdaptSettings, unseen: Collection[str] = ()) -> ObjectiveData | None:
    """What the objective of an adaptation reads besides the training text; no weights are loaded.

    Args:
        settings: The adaptation.
        unseen: Lines that models are measured on.

    Raises:
        LexigraftError: An unknown objective, option or file, a missing file, or data that cannot be used.
    """
    if settings.objective is None:
        if settings.objective_files:
            raise LexigraftError("objective_files needs an objective", ", ".join(settings.objective_files))
        return None
    return read_files(
        make("objective", settings.objective, dict(settings.objective_options)), settings.objective_files, unseen
    )


def adaptation_values(settings: AdaptSettings) -> dict[str, Any]:
    """What decides an adaptation besides its text and seed, with the content of the objective's files."""
    values = settings.model_dump(mode="json", exclude={"seed", "checkpoint_every"})
    data = objective_data(settings) if settings.objective_files else None
    return values if data is None else {**values, "objective_data": data.hash}
