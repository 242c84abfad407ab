"""Settings of adaptation in a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from lexigraft.core.config.base import BatchTokens, Count, Seed, Settings, Width

Trains = Literal["full", "new_rows", "lora", "frozen"]
Body = Annotated[str, Field(pattern=r"^(lora|frozen|full|top_bottom:[1-9][0-9]{0,3})$")]


class Phase(Settings):
    """One phase of adaptation, in which a fixed part of the model trains."""

    steps: Count = Field(ge=1)
    embeddings: Trains = "full"
    head: Trains = "full"
    body: Body = "lora"


def _augmenter(value: object) -> object:
    if isinstance(value, str):
        return {value: {}}
    if not isinstance(value, Mapping) or len(value) != 1:
        raise ValueError(
            f"an augmenter is a name, or a name with its options ({{leia: {{p: 0.5}}}}), not {value!r:.80}"
        )
    return {str(name): dict(options or {}) for name, options in value.items()}


AugmenterEntry = Annotated[dict[str, dict[str, Any]], BeforeValidator(_augmenter)]
"""One augmenter as a recipe writes it: a name, or a name with its options."""


class AdaptSettings(Settings):
    """Continued pretraining after the graft.

    `augment` lists augmenters, which change the training documents one after the other. `documents` says how documents
    meet in a training sequence: with special tokens between them (`separated`), with nothing between them (`joined`),
    or separated and each attending to itself alone, with positions of its own (`reset`).
    """

    objective: str | None = None
    objective_options: dict[str, Any] = {}
    steps: Count = Field(200, ge=0)
    batch_tokens: BatchTokens = 2048
    sequence_length: Count = Field(128, ge=8)
    learning_rate: float = Field(5e-4, gt=0)
    warmup_share: float = Field(0.06, ge=0, lt=1)
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    weight_decay: float = Field(0.0, ge=0)
    embeddings: Trains = "full"
    head: Trains = "full"
    body: Body = "lora"
    lora_rank: Width = Field(8, ge=1)
    lora_alpha: float = Field(16, gt=0)
    lora_dropout: float = Field(0.0, ge=0, lt=1)
    lora_targets: list[str] | None = None
    phases: list[Phase] = []
    gradient_checkpointing: bool = False
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    checkpoint_every: Count = Field(0, ge=0)
    probe_step: Count = Field(50, ge=0)
    augment: list[AugmenterEntry] = []
    documents: Literal["separated", "joined", "reset"] = "separated"
    seed: Seed = 0

    @model_serializer(mode="wrap")
    def _unused_left_out(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Keys of results are made of these values: what is not used stays out of them."""
        values: dict[str, Any] = handler(self)
        unused = {"augment": [], "documents": "separated"}
        return {key: value for key, value in values.items() if key not in unused or value != unused[key]}

    @model_validator(mode="after")
    def _phases_add_up(self) -> Self:
        if self.phases and sum(p.steps for p in self.phases) != self.steps:
            raise ValueError("the steps of the phases must add up to steps")
        return self
