"""The need `donor`: a second model that already uses the target tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from lexigraft.core.grafting.needs import NeedSpec
from lexigraft.core.grafting.pipeline import load_donor
from lexigraft.core.grafting.resources import Donor as Loaded
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.utils.hashing import model_hash
from lexigraft.core.utils.not_none import not_none

if TYPE_CHECKING:
    from lexigraft.api.inputs import StrategyInputs
    from lexigraft.testing.inputs import Fixture


class Donor(NeedSpec):
    """The donor model's tables and vocabulary."""

    name: ClassVar[str] = "donor"
    recipe_key: ClassVar[str] = "donor"
    option: ClassVar[str] = "--donor M"
    sentence: ClassVar[str] = "a second model that already uses the target tokenizer"
    words: ClassVar = {"donor": "a donor model"}
    supplied_by: ClassVar = (frozenset({"donor"}),)
    rank: ClassVar[int] = 50

    def available(self, inputs: StrategyInputs) -> bool:
        """The model is given."""
        return inputs.donor is not None

    def load(self, inputs: StrategyInputs, target: Vocabulary, cache_folder: Path) -> Loaded:
        """Read its tables and vocabulary."""
        return load_donor(not_none(inputs.donor))

    def content(self, inputs: StrategyInputs) -> str:
        """The hash of the model."""
        return model_hash(not_none(inputs.donor))

    def sample(self, fixture: Fixture) -> Loaded:
        """The poor model of the fixture."""
        return Loaded(fixture.poor_model.tables, fixture.target)
