"""The need `model`: the source model itself, loaded whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from lexigraft.core.grafting.needs import NeedSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from lexigraft.api.inputs import StrategyInputs
    from lexigraft.testing.inputs import Fixture


class Model(NeedSpec):
    """The source model, which the graft itself supplies."""

    name: ClassVar[str] = "model"
    recipe_key: ClassVar[str] = "source"
    option: ClassVar[str] = "--source M"
    sentence: ClassVar[str] = "the source model itself"
    supplied_by: ClassVar = (frozenset(),)
    by_graft: ClassVar[bool] = True

    def available(self, inputs: StrategyInputs) -> bool:
        """No input of a user meets it; the graft does."""
        return False

    def sample(self, fixture: Fixture) -> PreTrainedModel:
        """The fixture's model."""
        return fixture.model
