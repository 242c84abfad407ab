"""Trial of one evaluator on its sample data and a fixture model."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.evaluator import (
    EvaluationContext,
    EvaluationData,
    Evaluator,
    Files,
    Sample,
    read_data,
)
from lexigraft.core.evaluation.scores import Scores
from lexigraft.core.models.architecture import model_kind
from lexigraft.core.models.tables import Role, tables_of
from lexigraft.core.registry import Plugin, construct
from lexigraft.core.utils.random_state import global_randomness_kept
from lexigraft.testing.inputs import Fixture
from lexigraft.testing.law import NotApplicable, skip_unless
from lexigraft.testing.model_state import changed, in_adaptation, state_of
from lexigraft.testing.random_state import global_state, set_global_state
from lexigraft.testing.sample_data import SampleData, extras_may_lack

if TYPE_CHECKING:
    from transformers import PreTrainedModel

DROPOUT = 0.5


class Data(SampleData):
    """The sample data of an evaluator.

    Args:
        plugin: Where the evaluator comes from.
        options: Options that differ from its defaults; they win over those of its sample.
    """

    def __init__(self, plugin: Plugin, options: Mapping[str, Any]) -> None:
        super().__init__(plugin, options)
        self.configured: Evaluator = self.made

    @cached_property
    def sample(self) -> Sample:
        """The tiny data; raises ``NotApplicable`` where the evaluator gives none."""
        with extras_may_lack():
            sample = self.configured.sample(self.folder())
        if sample is None:
            raise NotApplicable("the evaluator gives no sample data")
        return sample

    @property
    def files(self) -> Files:
        """The files of the tiny data."""
        return self.sample.files

    @cached_property
    def evaluator(self) -> Evaluator:
        """The evaluator with its sample's options."""
        fields = {**self.sample.options, **self.options}
        made: Evaluator = construct("evaluator", self.plugin.name, type(self.configured), fields)
        return made

    def read(self, files: Files) -> EvaluationData:
        """What the evaluator reads from some files."""
        with extras_may_lack():
            return read_data(self.evaluator, files)


@dataclass(frozen=True, eq=False)
class ModelTrial:
    """An evaluator on a fixture model.

    Attributes:
        data: Its sample data.
        fixture: The fixture, of which the model and its own vocabulary are used.
    """

    data: Data
    fixture: Fixture

    @property
    def kind(self) -> str:
        """The kind of the fixture's model."""
        return model_kind(self.fixture.model.config)

    @cached_property
    def model(self) -> PreTrainedModel:
        """A copy of the fixture's model with dropout, in evaluation mode."""
        import torch

        model = copy.deepcopy(self.fixture.model)
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = DROPOUT
        return model.eval()

    def context(self, seed: int) -> EvaluationContext:
        """A context in which everything is known."""
        size = self.fixture.source.size
        tables = tables_of(self.fixture.model).by_role
        wanted = [role for role in (Role.INPUT, Role.OUTPUT) if role in tables]
        rows = [tables[role].detach() * 0.9 for role in wanted] if self.data.evaluator.compares_rows else []
        counts = np.arange(size, dtype=np.int64) % 50
        new = np.arange(size - 40, size, dtype=np.int64)
        return EvaluationContext(seed, counts, new, new[::2], tuple(rows))

    def scores(self, context: EvaluationContext, model: PreTrainedModel | None = None) -> Scores:
        """The scores of the sample; raises ``NotApplicable`` for models of another kind and without an extra."""
        evaluator = self.data.evaluator
        skip_unless(self.kind in evaluator.kinds, f"the evaluator does not measure {self.kind} models")
        chosen = self.model if model is None else model
        with extras_may_lack():
            return evaluator.evaluate(chosen, self.fixture.source, self.data.read_once, context)

    @cached_property
    def first(self) -> Scores:
        """The scores with seed 0."""
        with global_randomness_kept():
            set_global_state(1)
            return self.scores(self.context(0))

    @cached_property
    def again(self) -> tuple[Scores, bool]:
        """The same in training mode and in another global random state, and whether that state moved."""
        with global_randomness_kept():
            set_global_state(2)
            before = global_state()
            try:
                found = self.scores(self.context(0), self.model.train())
            finally:
                self.model.eval()
            return found, global_state() != before

    @cached_property
    def bare(self) -> Scores | LexigraftError:
        """The scores with another seed where nothing else is known, or the refusal."""
        with global_randomness_kept():
            set_global_state(3)
            try:
                return self.scores(EvaluationContext(1))
            except LexigraftError as refusal:
                return refusal

    @cached_property
    def later(self) -> Scores:
        """The scores with seed 0, after those with another seed."""
        _ = self.first, self.bare
        with global_randomness_kept():
            set_global_state(1)
            return self.scores(self.context(0))

    @cached_property
    def left_behind(self) -> list[str]:
        """What the evaluator changes in a model in the middle of adaptation."""
        model = in_adaptation(self.fixture.model)
        before = state_of(model)
        with global_randomness_kept():
            set_global_state(1)
            self.scores(self.context(0), model)
        return changed(before, state_of(model))


def other_scores(one: Scores, two: Scores) -> list[str]:
    """The names of figures and items in which two scores differ."""
    figures = [name for name in {**one.figures, **two.figures} if one.figures.get(name) != two.figures.get(name)]
    if list(one.items) != list(two.items):
        return [*figures, "the names of the items"]
    return figures + [
        f"items of {name}"
        for name, outcomes in one.items.items()
        if not all(map(np.array_equal, outcomes, two.items[name]))
    ]
