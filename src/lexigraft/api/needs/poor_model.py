"""The need `poor_model`: TEMA's model that was pre-trained on target text with the target tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from lexigraft.core.grafting.needs import NeedSpec
from lexigraft.core.grafting.pipeline import load_poor_model
from lexigraft.core.grafting.resources import PoorModel as Loaded
from lexigraft.core.tokenization.token_counts import token_counts
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.utils.hashing import model_hash
from lexigraft.core.utils.not_none import not_none

if TYPE_CHECKING:
    from lexigraft.api.inputs import StrategyInputs
    from lexigraft.testing.inputs import Fixture


class PoorModel(NeedSpec):
    """The poor model's tables, with the counts of its tokens in the corpus."""

    name: ClassVar[str] = "poor_model"
    recipe_key: ClassVar[str] = "poor_model"
    option: ClassVar[str] = "--poor-model M (and --corpus F for its token counts)"
    sentence: ClassVar[str] = "a model pre-trained on target text with the target tokenizer (see `lexigraft pretrain`)"
    words: ClassVar = {"poor_model": "a poor model"}
    supplied_by: ClassVar = (frozenset({"poor_model", "corpus"}),)
    rank: ClassVar[int] = 60

    def available(self, inputs: StrategyInputs) -> bool:
        """The model is given, and text to count its tokens in."""
        return None not in (inputs.poor_model, inputs.corpus)

    def load(self, inputs: StrategyInputs, target: Vocabulary, cache_folder: Path) -> Loaded:
        """Read its tables and count its tokens."""
        counts = token_counts(target, inputs.target_text().lines)
        return load_poor_model(not_none(inputs.poor_model), target, counts)

    def content(self, inputs: StrategyInputs) -> str:
        """The hash of the model."""
        return model_hash(not_none(inputs.poor_model))

    def sample(self, fixture: Fixture) -> Loaded:
        """A model of the fixture's kind with the target tokenizer and other weights."""
        return fixture.poor_model
