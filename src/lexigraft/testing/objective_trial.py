"""Trial of an objective on its sample files and a tiny model."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from lexigraft.core.config.input_files import Files
from lexigraft.core.grafting.folder import write_model
from lexigraft.core.models.architecture import model_kind
from lexigraft.core.registry import Plugin
from lexigraft.core.training.objective import BESIDE, Objective, ObjectiveData, read_files
from lexigraft.core.training.packing import TrainingText, Unmarked, pack
from lexigraft.testing.inputs import Fixture
from lexigraft.testing.law import NotApplicable
from lexigraft.testing.sample_data import SampleData, extras_may_lack
from lexigraft.testing.sample_text import SOURCE_TEXT

if TYPE_CHECKING:
    import torch

LENGTH, ROWS = 32, 4
LINES = tuple(SOURCE_TEXT.splitlines())
Batch = dict[str, "torch.Tensor"]


class ObjectiveTrial(SampleData):
    """One configured objective with a tiny model and the sample text.

    Args:
        plugin: What the registry found.
        options: Options that differ from the defaults.
        fixture: A fixture of a kind that the objective trains.
    """

    def __init__(self, plugin: Plugin, options: Mapping[str, Any], fixture: Fixture) -> None:
        super().__init__(plugin, options)
        self.objective: Objective = self.made
        self.vocabulary, self.model = fixture.source, copy.deepcopy(fixture.model).eval()

    @cached_property
    def files(self) -> Files:
        """The files of the sample; raises ``NotApplicable`` where there is none."""
        model = self.folder()
        if self.declared:
            write_model(model, self.model, self.vocabulary)
        found = self.objective.sample(self.folder(), LINES, model)
        if found is None:
            raise NotApplicable("the objective gives no sample files")
        return found

    def read(self, files: Files) -> ObjectiveData | None:
        """What the objective reads from some files."""
        with extras_may_lack():
            return read_files(self.objective, files)

    @cached_property
    def ready(self) -> Objective:
        """The objective prepared for the model."""
        return self.objective.prepared(self.read_once, self.vocabulary, self.model.config, LENGTH)

    def packed(self) -> TrainingText:
        """The sample text in rows."""
        if self.ready.packs:
            return self.ready.pack(self.vocabulary, LINES, LENGTH)
        return pack(self.vocabulary, LINES, LENGTH, kind=model_kind(self.model.config))

    @cached_property
    def rows(self) -> Unmarked:
        """The first rows, apart from their marks."""
        text = self.packed()
        return Unmarked.of(np.stack([text.at(position, 0) for position in range(ROWS)]))

    def batch(self, seed: int = 1) -> Batch:
        """A batch of the rows; every token is an entity of its own for an objective that asks for entities."""
        import torch

        ids = torch.from_numpy(self.rows.ids.copy())
        marks = {} if self.rows.loss.all() else {"predictable": torch.from_numpy(self.rows.loss)}
        if self.ready.entities:
            marks["entities"] = torch.arange(ids.shape[1]).expand(ids.shape)
        return self.ready.batch(ids, self.vocabulary, torch.Generator().manual_seed(seed), **marks)

    @cached_property
    def first(self) -> Batch:
        """A batch."""
        return self.batch()

    def loss(self) -> torch.Tensor:
        """The loss of the batch, with what trains beside the model in its place."""
        if (beside := self.ready.beside(self.model.config)) is not None:
            self.model.add_module(BESIDE, beside)
        return self.ready.loss(self.model, self.first)
