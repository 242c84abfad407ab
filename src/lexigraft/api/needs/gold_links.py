"""The need `gold_links`: the true word links of a cloned language."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from lexigraft.core.config.recipe import DictionarySettings
from lexigraft.core.data.dictionary import Dictionary, load_dictionary
from lexigraft.core.grafting.needs import NeedSpec
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.utils.not_none import not_none

if TYPE_CHECKING:
    from lexigraft.api.inputs import StrategyInputs
    from lexigraft.testing.inputs import Fixture


class GoldLinks(NeedSpec):
    """Counted links between the words of a language and of its clone."""

    name: ClassVar[str] = "gold_links"
    recipe_key: ClassVar[str] = "gold_links"
    option: ClassVar[str] = "--gold-links F"
    sentence: ClassVar[str] = "the true word links of a cloned language (see `lexigraft demo`)"
    words: ClassVar = {"gold_links": "the true word links"}
    supplied_by: ClassVar = (frozenset({"gold_links"}),)
    rank: ClassVar[int] = 70

    def available(self, inputs: StrategyInputs) -> bool:
        """The links are given."""
        return inputs.gold_links is not None

    def load(self, inputs: StrategyInputs, target: Vocabulary, cache_folder: Path) -> Dictionary:
        """Read the links."""
        return _links(inputs)

    def content(self, inputs: StrategyInputs) -> str:
        """The hash of the links."""
        return _links(inputs).hash

    def sample(self, fixture: Fixture) -> Dictionary:
        """The sample dictionary with counts."""
        from lexigraft.testing.inputs import word_pairs

        pairs = word_pairs(fixture.target)
        return Dictionary.of(pairs, [1.0 + n % 3 for n in range(len(pairs))])


def _links(inputs: StrategyInputs) -> Dictionary:
    return load_dictionary(DictionarySettings(path=[not_none(inputs.gold_links)]))
