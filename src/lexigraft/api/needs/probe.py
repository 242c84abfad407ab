"""The need `probe`: trials of candidate strategies, adapted for a few steps and measured on held-out lines."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from lexigraft.api.probe import ModelProbe, hold_out
from lexigraft.core.grafting.needs import NeedSpec
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.utils.not_none import not_none

if TYPE_CHECKING:
    from lexigraft.api.inputs import StrategyInputs
    from lexigraft.core.grafting.resources import Probe as Loaded
    from lexigraft.testing.inputs import Fixture


class Probe(NeedSpec):
    """A probe that tries candidate chains on target text."""

    name: ClassVar[str] = "probe"
    recipe_key: ClassVar[str] = "corpus.train"
    option: ClassVar[str] = "--corpus F"
    sentence: ClassVar[str] = "target text to try candidates on"
    supplied_by: ClassVar = (frozenset({"corpus"}),)

    def available(self, inputs: StrategyInputs) -> bool:
        """Target text and the probe's settings are given."""
        return None not in (inputs.corpus, inputs.probing)

    def load(self, inputs: StrategyInputs, target: Vocabulary, cache_folder: Path) -> ModelProbe:
        """A probe whose candidates get the same inputs, without the lines that they are measured on."""
        train, lines = hold_out(inputs.target_text())
        unseen = frozenset(lines.lines)
        inner = replace(inputs, corpus=lambda: train, unseen=lambda: inputs.unseen() | unseen, probing=None)
        return ModelProbe(not_none(inputs.probing), target, train, lines, inner.loaders(target, cache_folder))

    def sample(self, fixture: Fixture) -> Loaded:
        """Synthetic figures without a graft."""
        from lexigraft.testing.inputs import SampleProbe

        return SampleProbe()
