"""The need `training`: target text that a strategy learns rows on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from lexigraft.core.data.corpus import Corpus
from lexigraft.core.grafting.needs import NeedSpec
from lexigraft.core.tokenization.vocabulary import Vocabulary

if TYPE_CHECKING:
    from lexigraft.api.inputs import StrategyInputs
    from lexigraft.testing.inputs import Fixture


class Training(NeedSpec):
    """The training text."""

    name: ClassVar[str] = "training"
    recipe_key: ClassVar[str] = "corpus.train"
    option: ClassVar[str] = "--corpus F"
    sentence: ClassVar[str] = "target text to learn rows on"
    supplied_by: ClassVar = (frozenset({"corpus"}),)

    def available(self, inputs: StrategyInputs) -> bool:
        """Target text is given."""
        return inputs.corpus is not None

    def load(self, inputs: StrategyInputs, target: Vocabulary, cache_folder: Path) -> Corpus:
        """Read the text."""
        return inputs.target_text()

    def sample(self, fixture: Fixture) -> Corpus:
        """The sample text."""
        from lexigraft.testing.sample_text import TARGET_TEXT

        return Corpus.of(TARGET_TEXT.splitlines())
