"""Phases of an adaptation, checked before anything trains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lexigraft.adapters.training.lora import lora_targets
from lexigraft.adapters.training.quantization import refuse_unquantizable
from lexigraft.adapters.training.trainable import refuse_impossible
from lexigraft.core.config.adaptation import AdaptSettings, Phase
from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.architecture import refuse_long_sequences
from lexigraft.core.training.objective import refuse_unsuitable, refuse_without_mask
from lexigraft.core.utils.distributed import processes

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from lexigraft.core.training.objective import Objective


def checked_phases(
    model: PreTrainedModel, settings: AdaptSettings, objective: Objective, new_ids: Sequence[int] | None
) -> list[Phase]:
    """What trains when, after everything that a model without weights can tell about it.

    Args:
        model: The plain model, which may be on the meta device.
        settings: What trains, for how long.
        objective: The training objective.
        new_ids: Rows of new tokens, for ``new_rows``.

    Raises:
        LexigraftError: The objective does not suit the model, or the settings ask for what it cannot do.
    """
    refuse_unsuitable(objective, model.config)
    if objective.packs and (settings.augment or settings.documents != "separated" or settings.used_texts):
        hint = "Leave out adaptation.augment, adaptation.documents and adaptation.mixture, and shield no body"
        raise LexigraftError("objective lays out the training text itself", objective.name, hint)
    if settings.augment or settings.documents == "reset":
        refuse_without_mask(objective)
    if settings.documents == "reset" and not objective.resets:
        hint = "Leave adaptation.documents at 'separated'"
        raise LexigraftError("objective cannot keep documents apart", objective.name, hint)
    phases = settings.phases or (
        [Phase(steps=settings.steps, embeddings=settings.embeddings, head=settings.head, body=settings.body)]
        if settings.steps
        else []
    )
    refuse_impossible(model, phases, new_ids)
    refuse_long_sequences(model, settings.sequence_length)
    if new_ids is None and _rates_by_row(phases, settings):
        raise LexigraftError("new rows have a rate of their own, but none is known", hint="Say which rows are new")
    _refuse_sharded(phases, settings)
    targets = lora_targets(model, settings, phases)
    if phases and settings.quantization == "4bit":
        refuse_unquantizable(model, targets, phases)
    return phases


def _rates_by_row(phases: Sequence[Phase], settings: AdaptSettings) -> bool:
    rates = [phase.learning_rates or settings.learning_rates for phase in phases]
    return any(one.new_rows != one.tables for one in rates)


def _refuse_sharded(phases: Sequence[Phase], settings: AdaptSettings) -> None:
    sharding = processes().sharding
    by_rows = any("new_rows" in (phase.embeddings, phase.head) for phase in phases)
    shielded = any(phase.shielded_share for phase in phases)
    if sharding and (by_rows or shielded or _rates_by_row(phases, settings)):
        raise LexigraftError(
            "rows or columns cannot train by themselves where weights are in shards",
            sharding,
            "Use 'full' with one rate for tables and new_rows, or plain processes",
        )
