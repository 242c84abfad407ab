"""Trial of an augmenter: its edits of the sample documents, as every law looks at them."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from lexigraft.core.data.annotated_text import as_row
from lexigraft.core.data.augmentation import document_generator
from lexigraft.core.data.augmenter import Augmenter, Edit
from lexigraft.core.registry import Plugin, construct
from lexigraft.testing.laws.plugin_file import class_of
from lexigraft.testing.random_state import global_state, set_global_state
from lexigraft.testing.sample_annotated import sample_documents

Edits = tuple[tuple[Edit, ...], ...]
SEED = 7


class AugmenterTrial:
    """One configured augmenter on the sample documents.

    Args:
        plugin: What the registry found.
        options: Options that differ from the defaults; they win over the augmenter's sample.
        folder: An empty folder, for the files of that.
    """

    def __init__(self, plugin: Plugin, options: Mapping[str, Any], folder: Path) -> None:
        self.plugin, self.options = plugin, {**class_of(plugin)().sample(folder), **options}
        self.augmenter = self.make()
        self.documents = sample_documents()

    def make(self, **changes: Any) -> Augmenter:
        """The augmenter with some options changed."""
        made: Augmenter = construct("augmenter", self.plugin.name, class_of(self.plugin), {**self.options, **changes})
        return made

    def edits(self, augmenter: Augmenter, order: int = 1, *, seed: int = SEED, epoch: int = 0) -> Edits:
        """The edits of every document, in the documents' order; with -1 the last document is edited first."""
        found = [
            tuple(augmenter.edits(document, document_generator(document.text, seed, epoch)))
            for document in self.documents[::order]
        ]
        return tuple(found[::order])

    @cached_property
    def first(self) -> Edits:
        """The edits of a first pass."""
        set_global_state(1)
        return self.edits(self.make())

    @cached_property
    def again(self) -> tuple[Edits, bool]:
        """The same by a copy from another process, backwards, in another global state; and whether that state moved."""
        other: Augmenter = pickle.loads(pickle.dumps(self.make()))
        set_global_state(2)
        before = global_state()
        found = self.edits(other, -1)
        return found, global_state() != before

    @cached_property
    def always(self) -> Edits:
        """The edits with ``p = 1``."""
        return self.edits(self.make(p=1.0))

    @cached_property
    def opportunities(self) -> list[int]:
        """How many edits of each document the augmenter says are possible."""
        return [self.augmenter.opportunities(document) for document in self.documents]

    @cached_property
    def switches(self) -> tuple[tuple[str, str, bool], ...]:
        """Each kind of piece with its option and each value that this may take."""
        named = {field.name for field in dataclasses.fields(self.augmenter)}
        options = self.augmenter.loss_options.items()
        return tuple((kind, name, value) for kind, name in options if name in named for value in (True, False))

    def mutated(self) -> bool:
        """Whether a pass changes the documents that it gets."""
        documents = sample_documents()
        before = [as_row(document) for document in documents]
        always = self.make(p=1.0)
        for document in documents:
            always.edits(document, document_generator(document.text, SEED, 0))
        return before != [as_row(document) for document in documents]
