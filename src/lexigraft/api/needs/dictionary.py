"""The need `dictionary`: a bilingual word list."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from lexigraft.core.data.dictionary import Dictionary as Loaded
from lexigraft.core.data.dictionary import load_dictionary
from lexigraft.core.grafting.needs import NeedSpec
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.utils.not_none import not_none

if TYPE_CHECKING:
    from lexigraft.api.inputs import StrategyInputs
    from lexigraft.testing.inputs import Fixture


class Dictionary(NeedSpec):
    """Word pairs of the two languages."""

    name: ClassVar[str] = "dictionary"
    recipe_key: ClassVar[str] = "dictionary.path"
    option: ClassVar[str] = "--dictionary TSV"
    sentence: ClassVar[str] = "a bilingual word list, one source TAB target pair a line"
    words: ClassVar = {"dictionary": "a dictionary"}
    supplied_by: ClassVar = (frozenset({"dictionary"}),)
    rank: ClassVar[int] = 30

    def available(self, inputs: StrategyInputs) -> bool:
        """The list is given."""
        return inputs.dictionary is not None

    def load(self, inputs: StrategyInputs, target: Vocabulary, cache_folder: Path) -> Loaded:
        """Read the list."""
        return load_dictionary(not_none(inputs.dictionary))

    def content(self, inputs: StrategyInputs) -> str:
        """The hash of its pairs."""
        return load_dictionary(not_none(inputs.dictionary)).hash

    def sample(self, fixture: Fixture) -> Loaded:
        """Source words, each beside a word that is one target token."""
        from lexigraft.testing.inputs import word_pairs

        return Loaded.of(word_pairs(fixture.target))
