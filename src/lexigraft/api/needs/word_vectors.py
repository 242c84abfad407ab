"""The need `word_vectors`: word vectors of both languages, read from files or trained on text of both."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from lexigraft.core.grafting.needs import NeedSpec
from lexigraft.core.grafting.resources import WordVectors as Loaded
from lexigraft.core.tokenization.vocabulary import Vocabulary

if TYPE_CHECKING:
    from lexigraft.api.inputs import StrategyInputs
    from lexigraft.testing.inputs import Fixture


class WordVectors(NeedSpec):
    """Word vectors of both languages."""

    name: ClassVar[str] = "word_vectors"
    recipe_key: ClassVar[str] = "word_vectors (or corpus.train and corpus.source_train)"
    option: ClassVar[str] = "--source-vectors F --word-vectors F (or --corpus F --source-corpus F)"
    sentence: ClassVar[str] = (
        "word vectors of both languages: give a .bin or .vec file of each, or text of both to train them on"
    )
    words: ClassVar = {"word_vectors": "word vectors of both languages"}
    supplied_by: ClassVar = (frozenset({"word_vectors"}), frozenset({"corpus", "source_corpus"}))
    rank: ClassVar[int] = 20

    def available(self, inputs: StrategyInputs) -> bool:
        """Two files, or text of both languages."""
        return inputs.word_vectors.source is not None or None not in (inputs.corpus, inputs.source_corpus)

    def is_stage(self, inputs: StrategyInputs) -> bool:
        """They are trained unless they are read from files."""
        return inputs.word_vectors.source is None

    def load(self, inputs: StrategyInputs, target: Vocabulary, cache_folder: Path) -> Loaded:
        """Read the files, or train on both texts."""
        from lexigraft.adapters.vectors.word_vectors import word_vectors

        if inputs.word_vectors.source is not None:
            return word_vectors(inputs.word_vectors, None, None, cache_folder)
        return word_vectors(inputs.word_vectors, inputs.source_text(), inputs.target_text(), cache_folder)

    def content(self, inputs: StrategyInputs) -> dict[str, Any]:
        """The settings, with the hash of each file and of the source text."""
        from lexigraft.adapters.vectors.word_vectors import words_content

        settings = inputs.word_vectors
        files = {side: getattr(settings, side) for side in ("source", "target")}
        hashes = {side: words_content(file) if file else None for side, file in files.items()}
        trained = inputs.source_corpus is not None and settings.source is None
        return (
            settings.model_dump(mode="json") | hashes | {"source_text": inputs.source_text().hash if trained else None}
        )

    def sample(self, fixture: Fixture) -> Loaded:
        """Seeded vectors."""
        from lexigraft.testing.inputs import seeded_word_vectors

        return seeded_word_vectors()
