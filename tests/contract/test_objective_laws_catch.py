"""For each law of an objective's conduct one that breaks it: the law must notice."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from lexigraft.core.models.architecture import ModelKind
from lexigraft.core.registry import Plugin
from lexigraft.core.training.extended_objective import ExtendedObjective
from lexigraft.core.training.packing import PackedText
from lexigraft.testing.contract import cached_fixture
from lexigraft.testing.law import outcome_of
from lexigraft.testing.objective_contract import ON_MODELS, run_objective_checks
from lexigraft.testing.objective_trial import ObjectiveTrial

COUNT = itertools.count()


@dataclass(frozen=True)
class Honest(ExtendedObjective):
    """Causal language modeling.

    Source: the tests.
    """

    name: ClassVar[str] = "honest"
    kinds: ClassVar[frozenset[ModelKind]] = frozenset({"causal"})


class KeepsMaterial(Honest):
    def prepared(self, *given: Any) -> Any:
        object.__setattr__(self, "material", "kept")
        return self


class PacksAnew(Honest):
    packs: ClassVar[bool] = True

    def pack(self, vocabulary: Any, lines: Sequence[str], sequence_length: int) -> PackedText:
        return PackedText(np.full((4, sequence_length), 1 + next(COUNT), np.int32))


class AddsOneRow(Honest):
    def batch(self, *given: Any) -> dict[str, torch.Tensor]:
        return {**super().batch(*given), "row": torch.zeros(1)}


class DrawsElsewhere(Honest):
    def batch(self, sequences: torch.Tensor, *given: Any) -> dict[str, torch.Tensor]:
        return super().batch(torch.where(torch.rand(sequences.shape) < 0.5, 5, sequences), *given)


class WithoutGradients(Honest):
    def loss(self, model: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        return super().loss(model, batch).detach()


class Hooks(Honest):
    def loss(self, model: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        model.register_forward_hook(lambda *given: None)
        return super().loss(model, batch)


class FoldsSilently(Honest):
    def fold(self, model: Any) -> dict[str, torch.Tensor]:
        model.get_output_embeddings().weight.data += 1
        return {}


class CountsOne(Honest):
    def predicted(self, batch: Mapping[str, torch.Tensor]) -> int:
        return 1


BREAK = {
    "a prepared copy has the same options": KeepsMaterial,
    "rows have an order": PacksAnew,
    "a batch has a row for each sequence": AddsOneRow,
    "a batch depends on the generator alone": DrawsElsewhere,
    "the loss is a mean that gradients flow from": WithoutGradients,
    "nothing is left in the model": Hooks,
    "folding can be undone": FoldsSilently,
    "the predicted tokens of shares add up": CountsOne,
}


@pytest.mark.parametrize("law", ON_MODELS, ids=lambda law: law.name)
def test_the_law_notices(law: Any) -> None:
    for cls, outcome in ((Honest, "passed"), (BREAK[law.name], "failed")):
        trial = ObjectiveTrial(Plugin("objective", "honest", "", "class", cls), {}, cached_fixture("llama-untied"))
        assert outcome_of(law, "llama-untied", trial).outcome == outcome


def test_one_that_cannot_be_built_fails_and_a_broken_file_too() -> None:
    plugin = Plugin("objective", "honest", "", "class", Honest)
    failed = [one for one in run_objective_checks(plugin, options={"share": 1}) if one.outcome == "failed"]
    assert any("cannot be built with {'share': 1}" in one.reason for one in failed)
    [only] = run_objective_checks(Plugin("objective", "bad", "bad.py", "folder", None, "ValueError: no"))
    assert (only.law, only.outcome, only.reason) == ("the file loads", "failed", "ValueError: no")
