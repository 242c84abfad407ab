"""The need `target_vectors`: static vectors of the target tokens, trained with fastText or read from a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lexigraft.core.grafting.needs import NeedSpec
from lexigraft.core.grafting.resources import StaticVectors
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.utils.hashing import file_hash

if TYPE_CHECKING:
    from lexigraft.api.inputs import StrategyInputs
    from lexigraft.testing.inputs import Fixture


class TargetVectors(NeedSpec):
    """Static vectors of the target tokens."""

    name: ClassVar[str] = "target_vectors"
    recipe_key: ClassVar[str] = "corpus.train"
    option: ClassVar[str] = "--corpus F or --target-vectors F"
    sentence: ClassVar[str] = (
        "static vectors of the target tokens: give target text to train them on, or a .bin, .vec or .npz file"
    )
    words: ClassVar = {"vectors": "vectors of the target tokens"}
    supplied_by: ClassVar = (frozenset({"corpus"}), frozenset({"vectors"}))
    rank: ClassVar[int] = 10

    def available(self, inputs: StrategyInputs) -> bool:
        """A file of vectors, or text to train them on."""
        return inputs.corpus is not None or inputs.vectors.file is not None

    def is_stage(self, inputs: StrategyInputs) -> bool:
        """They are trained unless they are read from a file."""
        return not inputs.vectors.file

    def load(self, inputs: StrategyInputs, target: Vocabulary, cache_folder: Path) -> StaticVectors:
        """Read the file, or train on the corpus; with ``extend_tokenizer`` on the language's own tokens."""
        from lexigraft.adapters.vectors.target_vectors import load_vectors, train_target_vectors, without_common_parts

        settings = inputs.vectors
        if settings.file:
            vectors = load_vectors(Path(settings.file), target, settings.level)
        elif settings.extend_tokenizer is None:
            vectors = train_target_vectors(inputs.target_text(), target, settings, cache_folder)
        else:
            language = load_vocabulary(settings.extend_tokenizer)
            trained = train_target_vectors(inputs.target_text(), language, settings, cache_folder)
            vectors = _carried_over(trained, language, target)
        return without_common_parts(vectors, settings.all_but_the_top)

    def content(self, inputs: StrategyInputs) -> dict[str, Any]:
        """The settings, with the hash of the file and of the language's own tokenizer."""
        settings = inputs.vectors
        extend = settings.extend_tokenizer
        return settings.model_dump(mode="json") | {
            "file": file_hash(Path(settings.file)) if settings.file else None,
            "extend_tokenizer": load_vocabulary(extend).hash if extend else None,
        }

    def sample(self, fixture: Fixture) -> StaticVectors:
        """Seeded vectors."""
        from lexigraft.testing.inputs import seeded_vectors

        return seeded_vectors(fixture.target)


def _carried_over(vectors: StaticVectors, language: Vocabulary, target: Vocabulary) -> StaticVectors:
    """FOCUS's extend mode: vectors of the language's own tokenizer, looked up for the extended vocabulary's tokens."""
    import torch

    ids = [language.id_of(token) if token else None for token in target.tokens]
    present = np.array([i is not None and bool(vectors.present[i]) for i in ids])
    rows = torch.zeros(target.size, vectors.vectors.shape[1])
    kept = [i for i, here in zip(ids, present, strict=True) if here]
    rows[torch.from_numpy(np.flatnonzero(present))] = vectors.vectors[kept]
    return StaticVectors(rows, present, {**vectors.origin, "extend": True})
