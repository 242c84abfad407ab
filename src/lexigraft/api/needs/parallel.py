"""The need `parallel`: sentences of both languages, aligned line by line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from lexigraft.core.data.parallel_text import load_parallel
from lexigraft.core.grafting.needs import NeedSpec
from lexigraft.core.grafting.resources import ParallelText
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.utils.not_none import not_none

if TYPE_CHECKING:
    from lexigraft.api.inputs import StrategyInputs
    from lexigraft.testing.inputs import Fixture


class Parallel(NeedSpec):
    """Parallel text with a word aligner, without the lines that models are measured on."""

    name: ClassVar[str] = "parallel"
    recipe_key: ClassVar[str] = "parallel"
    option: ClassVar[str] = "--parallel-source F --parallel-target F"
    sentence: ClassVar[str] = "sentences of both languages: two files, aligned line by line"
    words: ClassVar = {"parallel": "parallel text"}
    supplied_by: ClassVar = (frozenset({"parallel"}),)
    rank: ClassVar[int] = 40

    def available(self, inputs: StrategyInputs) -> bool:
        """Both sides are given."""
        return inputs.parallel is not None

    def load(self, inputs: StrategyInputs, target: Vocabulary, cache_folder: Path) -> ParallelText:
        """Read both sides, with the aligner that the settings name."""
        from lexigraft.adapters.word_aligners import ALIGNERS

        settings = not_none(inputs.parallel)
        pairs = load_parallel(settings, inputs.unseen())
        origin = {"hash": pairs.hash, "aligner": settings.aligner, "dropped": pairs.dropped}
        return ParallelText(pairs.source, pairs.target, ALIGNERS[settings.aligner], origin)

    def content(self, inputs: StrategyInputs) -> dict[str, str]:
        """The hash of the sentences, and the aligner's name."""
        settings = not_none(inputs.parallel)
        return {"text": load_parallel(settings, inputs.unseen()).hash, "aligner": settings.aligner}

    def sample(self, fixture: Fixture) -> ParallelText:
        """The sample texts as sentence pairs."""
        from lexigraft.testing.inputs import sample_parallel_text

        return sample_parallel_text()
