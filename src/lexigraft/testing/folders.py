"""Fixture models on disk, some of them damaged."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from lexigraft.core.grafting.folder import write_model
from lexigraft.core.models.disk_model import DiskModel

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from lexigraft.core.tokenization.vocabulary import Vocabulary


class Folders:
    """Folders of one fixture, each written on first use, all removed together.

    Args:
        model: The source model.
        source: Its vocabulary.
        poor: The poor model.
        target: The target vocabulary.
    """

    def __init__(self, model: PreTrainedModel, source: Vocabulary, poor: PreTrainedModel, target: Vocabulary) -> None:
        self._model, self._source, self._poor, self._target = model, source, poor, target

    @cached_property
    def root(self) -> Path:
        """A temporary folder; the laws write into it too."""
        root = Path(tempfile.mkdtemp(prefix="lexigraft-laws-"))
        weakref.finalize(self, shutil.rmtree, root, True)
        return root

    @cached_property
    def source(self) -> str:
        """The source model."""
        return self._written("source", self._model, self._source)

    @cached_property
    def poor(self) -> str:
        """The poor model."""
        return self._written("poor", self._poor, self._target)

    @cached_property
    def unreadable(self) -> str:
        """The source model with weights that cannot be read."""
        folder = self.root / "unreadable"
        shutil.copytree(self.source, folder)
        (folder / "model.safetensors").write_bytes(b"not weights")
        return str(folder)

    @cached_property
    def source_model(self) -> DiskModel:
        """The source model, opened once for all grafts."""
        return DiskModel(self.source)

    @cached_property
    def short(self) -> DiskModel:
        """The source model with fewer rows than its tokenizer has ids, opened once."""
        from lexigraft.core.models.loading import load_model

        model = load_model(self.source)
        model.resize_token_embeddings(self._source.size - 3, mean_resizing=False)
        return DiskModel(self._written("short", model, self._source))

    def _written(self, name: str, model: PreTrainedModel, vocabulary: Vocabulary) -> str:
        folder = self.root / name
        write_model(folder, model, vocabulary)
        return str(folder)
