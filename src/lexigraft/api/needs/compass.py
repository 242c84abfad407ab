"""The need `compass`: vectors of both vocabularies' tokens in one space, learned on the same target text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from lexigraft.core.grafting.needs import NeedSpec
from lexigraft.core.grafting.resources import Compass as Loaded
from lexigraft.core.methods.compass_cache import cached_compass
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.utils.not_none import not_none

if TYPE_CHECKING:
    from lexigraft.api.inputs import StrategyInputs
    from lexigraft.testing.inputs import Fixture


class Compass(NeedSpec):
    """Vectors of source and target tokens in one space."""

    name: ClassVar[str] = "compass"
    recipe_key: ClassVar[str] = "corpus.train"
    option: ClassVar[str] = "--corpus F"
    sentence: ClassVar[str] = "target text, on which vectors of both vocabularies' tokens are learned"
    supplied_by: ClassVar = (frozenset({"corpus"}),)

    def available(self, inputs: StrategyInputs) -> bool:
        """Target text and the source tokenizer are given."""
        return None not in (inputs.corpus, inputs.source)

    def is_stage(self, inputs: StrategyInputs) -> bool:
        """They are always learned."""
        return True

    def load(self, inputs: StrategyInputs, target: Vocabulary, cache_folder: Path) -> Loaded:
        """Learn the vectors, or read them from the cache."""
        return cached_compass(inputs.target_text(), load_vocabulary(not_none(inputs.source)), target, cache_folder)

    def sample(self, fixture: Fixture) -> Loaded:
        """Seeded vectors."""
        from lexigraft.testing.inputs import seeded_vectors

        return Loaded(seeded_vectors(fixture.source, 12), seeded_vectors(fixture.target, 13))
