"""Settings and history of one phase of training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from lexigraft.adapters.training.learning_rates import Rates

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from lexigraft.adapters.training.shielding import Columns


OnStep = Callable[[int, "PreTrainedModel"], Mapping[str, float] | None]

Precision = Literal["auto", "float32", "bfloat16"]


@dataclass(frozen=True)
class Loop:
    """Settings of one phase of training.

    Attributes:
        steps: Optimizer steps of this phase.
        rows_per_batch: Packed rows in a batch, those of all processes together.
        learning_rate: AdamW's peak rate.
        warmup_share: Share of the steps that warm up.
        schedule: What the rate does after the warm-up.
        weight_decay: For matrices; never for embedding tables, biases and norms.
        precision: "auto" is bfloat16 where a GPU has it.
        checkpoint_every: Steps between checkpoints; 0 for none.
        seed: Seed of the row order, the objective's noise and dropout.
        first_step: Steps trained by earlier phases.
        table_names: Parameters that are embedding tables.
        rates: Multiples of the learning rate by parameter and row.
        held_columns: Columns that stay as they are, by the weight's name in the plain model.
    """

    steps: int
    rows_per_batch: int
    learning_rate: float
    warmup_share: float
    schedule: Literal["linear", "cosine", "constant"]
    weight_decay: float
    precision: Precision
    checkpoint_every: int
    seed: int
    first_step: int = 0
    table_names: frozenset[str] = frozenset()
    rates: Rates = field(default_factory=Rates)
    held_columns: Mapping[str, Columns] = field(default_factory=dict)


@dataclass(frozen=True)
class History:
    """Losses and evaluations of one phase of training.

    Attributes:
        losses: Training loss in nats by step.
        evaluations: What ``on_step`` returned, by step.
    """

    losses: list[tuple[int, float]] = field(default_factory=list)
    evaluations: dict[int, dict[str, float]] = field(default_factory=dict)
