"""The probe behind `auto`: graft a chain, adapt it for a few steps, measure it on lines held out of training text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from lexigraft.api.train import adapt_model
from lexigraft.core.config.recipe import AdaptSettings, GraftSettings, Phase
from lexigraft.core.data.corpus import Corpus, evenly_chosen, split, without
from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.pipeline import graft_model, make_chain
from lexigraft.core.grafting.resources import Loader, ProbeRun
from lexigraft.core.models.architecture import context_length
from lexigraft.core.registry import PluginSpec, make
from lexigraft.core.tokenization.vocabulary import Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedModel

SHARE, LINES = 0.1, 200
"""The share of the training text that is held out for probes, and the most lines."""
SPLIT = 1
"""Another division of lines than a comparison's own (0): that one has taken all its lines out of the text already."""


@dataclass(frozen=True)
class ProbeSettings:
    """What a probe must know beyond what strategies lean on.

    Attributes:
        source: Folder or Hub name of the source model.
        graft: As for the graft that the probe decides about.
        adaptation: The recipe's, where there is one; its steps give way to the probe's.
        measure: Options of ``bits_per_byte``.
    """

    source: str
    graft: GraftSettings = field(default_factory=GraftSettings)
    adaptation: AdaptSettings = field(default_factory=AdaptSettings)
    measure: Mapping[str, Any] = field(default_factory=dict)


def hold_out(corpus: Corpus) -> tuple[Corpus, Corpus]:
    """What probes train on, and at most 200 lines that they are measured on: both from the training text.

    Raises:
        LexigraftError: The text is too small to hold lines out.
    """
    _, heldout = split(corpus, SHARE, SPLIT)
    lines = evenly_chosen(heldout, LINES)
    return without(corpus, lines), lines


@dataclass(frozen=True)
class ModelProbe:
    """A probe of the source model with a target vocabulary; every call starts from the model on disk.

    Attributes:
        settings: Model, graft, adaptation, yardstick.
        target: The target vocabulary.
        train: Text to adapt on, and for candidates to learn on.
        lines: Text to measure on.
        loaders: What candidates lean on; nothing of it has seen ``lines``, but for models and files made before.
    """

    settings: ProbeSettings
    target: Vocabulary
    train: Corpus
    lines: Corpus
    loaders: Mapping[Need, Loader]

    def __call__(self, chain: Sequence[PluginSpec], *, steps: int, seed: int) -> ProbeRun:
        """Graft, adapt and measure; see :class:`lexigraft.core.grafting.resources.Probe`."""
        from lexigraft.core.utils.random_state import global_randomness_kept

        given = self.settings
        with global_randomness_kept():
            grafted = graft_model(
                given.source, self.target, make_chain(chain), self.loaders, seed=seed, settings=given.graft
            )
            adapted = adapt_model(
                grafted.model,
                grafted.vocabulary,
                self.train,
                shortened(given.adaptation, steps, seed, grafted.model),
                new_ids=grafted.alignment.new.tolist(),
            )
            yardstick = make("evaluator", "bits_per_byte", dict(given.measure))
            bits = yardstick.line_bits(adapted.model, grafted.vocabulary, self.lines.lines)
        sizes = np.array([len(line.encode()) for line in self.lines.lines], np.int64)
        return ProbeRun(bits, sizes, adapted.tokens_trained + grafted.rows.counts["learned_tokens"])


def shortened(settings: AdaptSettings, steps: int, seed: int, model: PreTrainedModel) -> AdaptSettings:
    """A whole adaptation of so many steps: the same rates and schedule, phases cut or their last one drawn out.

    Args:
        settings: The adaptation as it would be.
        steps: How many steps the short one has.
        seed: Its seed.
        model: Sequences are never longer than it takes.
    """
    phases: list[Phase] = []
    left = steps
    for n, phase in enumerate(settings.phases):
        taken = left if n == len(settings.phases) - 1 else min(left, phase.steps)
        if taken:
            phases.append(phase.model_copy(update={"steps": taken}))
        left -= taken
    longest = min(settings.sequence_length, context_length(model))
    changes = {"steps": steps, "seed": seed, "phases": phases, "sequence_length": longest, "checkpoint_every": 0}
    return settings.model_copy(update=changes)
