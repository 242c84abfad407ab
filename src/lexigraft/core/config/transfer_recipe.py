"""Schema of a transfer study's recipe."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from lexigraft.core.config.adaptation import AdaptSettings
from lexigraft.core.config.base import Count, Paths, Seed, Settings
from lexigraft.core.config.evaluation import EvaluationSettings, TaskSettings
from lexigraft.core.config.recipe import (
    ExecutionSettings,
    GraftSettings,
    TokenizerSettings,
    TrackingSettings,
    VectorSettings,
)
from lexigraft.core.config.strategy_entries import StrategyEntry

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]
ZERO_SHOT = "zero-shot"
"""The label of the model as it is."""


class DonorSettings(Settings):
    """A language whose text the model is adapted on.

    `language` is its ISO 639-3 code, for typology; `limit_lines` keeps all donors at one size.
    """

    train: Paths
    language: str | None = None
    limit_lines: Count | None = Field(None, ge=1)


class TargetSettings(Settings):
    """A language that every adapted model is measured on.

    `train` is its own text, for the control that spends the same budget on the target itself, and for a graft.
    `tasks` are downstream tasks, as in a comparison.
    """

    heldout: Paths
    train: Paths = []
    language: str | None = None
    tasks: dict[Name, TaskSettings] = {}
    tokenizer: str | TokenizerSettings | None = None


class TransferGraftSettings(Settings):
    """A graft of each target's own vocabulary onto every adapted model.

    Targets need a `tokenizer` and `train` text then. `steps` of adaptation on that text follow the graft.
    """

    strategy: StrategyEntry
    steps: Count = Field(0, ge=0)
    target_vectors: VectorSettings = VectorSettings()
    settings: GraftSettings = GraftSettings()


class TransferSettings(Settings):
    """A whole transfer study, as in one recipe file.

    `measure_at` are further steps of adaptation at which every target is measured; the end always is.
    `target_controls` also adapts the model on each target's own text.
    """

    name: str = "transfer"
    source: str
    donors: Annotated[dict[Name, DonorSettings], Field(min_length=1)]
    targets: Annotated[dict[Name, TargetSettings], Field(min_length=1)]
    seeds: Annotated[list[Seed], Field(min_length=1)] = [0, 1, 2]
    adaptation: AdaptSettings = AdaptSettings()
    measure_at: list[Count] = []
    target_controls: bool = True
    heldout_lines: Count = Field(200, ge=1)
    text_field: str = "text"
    graft: TransferGraftSettings | None = None
    evaluation: EvaluationSettings = EvaluationSettings()
    typology: str | None = None
    tracking: TrackingSettings = TrackingSettings()
    execution: ExecutionSettings = ExecutionSettings()

    @model_validator(mode="after")
    def _donors_are_no_targets(self) -> Self:
        if same := set(self.donors) & set(self.targets):
            raise ValueError(f"'{same.pop()}' is a donor and a target; target_controls adapts on the targets' own text")
        codes = {target.language for target in self.targets.values()} - {None}
        for name, donor in self.donors.items():
            if donor.language in codes:
                raise ValueError(f"donor '{name}' has the language of a target, {donor.language}")
        return self

    @model_validator(mode="after")
    def _names_are_free(self) -> Self:
        if ZERO_SHOT in self.donors or ZERO_SHOT in self.targets:
            raise ValueError(f"'{ZERO_SHOT}' is the model as it is; give the language another name")
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError("seeds repeat")
        if self.evaluation.tasks:
            raise ValueError("tasks belong to a target: targets.NAME.tasks")
        if self.tracking.registered_model is not None:
            raise ValueError("a transfer study has no winner to register; leave tracking.registered_model out")
        if self.adaptation.augment:
            raise ValueError("adaptation.augment belongs to a comparison or to adapt; a study's text is not augmented")
        if self.adaptation.used_texts:
            raise ValueError("mixtures and shielded bodies belong to a comparison or to adapt; a study takes no texts")
        if self.adaptation.steps == 0:
            raise ValueError("adaptation.steps must be at least 1: transfer comes from training on a donor")
        return self

    @model_validator(mode="after")
    def _controls_have_text(self) -> Self:
        lacking = [name for name, target in self.targets.items() if not target.train]
        if lacking and self.target_controls and self.graft is None:
            raise ValueError(f"target '{lacking[0]}' has no train text; give it, or set target_controls: false")
        if self.graft is not None:
            for name, target in self.targets.items():
                if not target.train or target.tokenizer is None:
                    raise ValueError(f"target '{name}' needs a tokenizer and train text for the graft")
        return self

    def task_options(self) -> dict[str, Any]:
        """Every task by its name in scores, ``TARGET.TASK``."""
        return {
            f"{name}.{task}": one.model_copy(update={"evaluator": one.evaluator or task})
            for name, target in self.targets.items()
            for task, one in target.tasks.items()
        }

    @property
    def cell_names(self) -> tuple[tuple[str, int], ...]:
        """The label and seed of each cell: the model as it is, each donor, and each target as its own control."""
        # Without training nothing is random, unless a graft or a task is.
        unadapted = self.seeds if self.graft is not None or self.task_options() else self.seeds[:1]
        controls = self.targets if self.target_controls else ()
        adapted = [(name, seed) for name in (*self.donors, *controls) for seed in self.seeds]
        return (*((ZERO_SHOT, seed) for seed in unadapted), *adapted)
