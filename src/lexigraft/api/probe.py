"""Probe of the strategy `auto`, a short adaptation of each candidate."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from lexigraft.api.adapt import adapt_model
from lexigraft.api.augment import learns_entities
from lexigraft.core.config.adaptation import AdaptSettings, Phase, shielded_share
from lexigraft.core.config.recipe import GraftSettings
from lexigraft.core.data.corpus import Corpus, evenly_chosen, split, without
from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.pipeline import graft_model, make_chain
from lexigraft.core.grafting.resources import Loader, ProbeRun, Watch
from lexigraft.core.models.architecture import context_length
from lexigraft.core.registry import PluginSpec, make
from lexigraft.core.tokenization.vocabulary import Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedModel

SHARE, LINES = 0.1, 200
"""The share of the training text that is held out for probes, and the maximum number of lines."""
SPLIT = 1
"""Seed of the split; a comparison's own split has seed 0, and its held-out lines are no longer in the text."""


@dataclass(frozen=True)
class ProbeSettings:
    """Settings of a probe.

    Attributes:
        source: Folder or Hub name of the source model.
        graft: The same as for the graft that is decided by the probe.
        adaptation: The recipe's, where there is one; the probe sets its own number of steps.
        measure: Options of ``bits_per_byte``.
    """

    source: str
    graft: GraftSettings = field(default_factory=GraftSettings)
    adaptation: AdaptSettings = field(default_factory=AdaptSettings)
    measure: Mapping[str, Any] = field(default_factory=dict)


def hold_out(corpus: Corpus) -> tuple[Corpus, Corpus]:
    """Split training text into text that probes train on and at most 200 lines that they are measured on.

    Raises:
        LexigraftError: The text is too small to hold lines out.
    """
    _, heldout = split(corpus, SHARE, SPLIT)
    lines = evenly_chosen(heldout, LINES)
    return without(corpus, lines), lines


@dataclass(frozen=True)
class ModelProbe:
    """A probe of the source model with a target vocabulary.

    Every call starts from the model on disk.

    Attributes:
        settings: Model, graft, adaptation, evaluation.
        target: The target vocabulary.
        train: Text to adapt on, and for candidates to learn on.
        lines: Text to measure on.
        loaders: Loaders of the candidates' needs; apart from given models and files, nothing was trained on ``lines``.
        within_word: How masked models predict the pieces of a word. Candidates with the same tokens are compared by the
            cheaper ``whole``, those with different ones by ``left_to_right`` alone.
    """

    settings: ProbeSettings
    target: Vocabulary
    train: Corpus
    lines: Corpus
    loaders: Mapping[Need, Loader]
    within_word: Literal["whole", "left_to_right"] = "whole"

    @property
    def adaptation_steps(self) -> int:
        """Steps of the adaptation that the trials shorten."""
        return self.settings.adaptation.steps

    @property
    def batch_tokens(self) -> int:
        """Tokens in each of their batches."""
        return _batch_tokens(self.settings.adaptation)

    def __call__(
        self,
        chain: Sequence[PluginSpec],
        *,
        steps: int,
        seed: int,
        batch_tokens: int | None = None,
        watch: Watch = lambda step, bits: True,
        looks: Collection[int] = (),
    ) -> ProbeRun:
        """Graft, adapt and measure; see :class:`lexigraft.core.grafting.resources.Probe`."""
        from lexigraft.core.utils.random_state import global_randomness_kept

        settings = self.settings
        evaluator = make("evaluator", "bits_per_byte", {**settings.measure, "within_word": self.within_word})

        def look(step: int, live: PreTrainedModel) -> dict[str, float]:
            bits = evaluator.line_bits(live, grafted.vocabulary, self.lines.lines)
            if not watch(step, bits):
                raise _Ended(step, bits)
            return {}

        with global_randomness_kept():
            grafted = graft_model(
                settings.source, self.target, make_chain(chain), self.loaders, seed=seed, settings=settings.graft
            )
            short = shortened(settings.adaptation, steps, seed, grafted.model, batch_tokens)
            new_ids = grafted.alignment.new.tolist()
            try:
                adapted = adapt_model(
                    grafted.model,
                    grafted.vocabulary,
                    self.train,
                    short,
                    new_ids=new_ids,
                    on_step=look,
                    eval_steps=looks,
                )
                bits = evaluator.line_bits(adapted.model, grafted.vocabulary, self.lines.lines)
            except _Ended as ended:
                steps, bits = ended.step, ended.bits
        sizes = np.array([len(line.encode()) for line in self.lines.lines], np.int64)
        trained = steps * _batch_tokens(short)
        return ProbeRun(bits, sizes, trained + grafted.rows.counts["learned_tokens"])


def _batch_tokens(settings: AdaptSettings) -> int:
    from lexigraft.adapters.training.training_text import rows_per_batch

    return rows_per_batch(settings) * settings.sequence_length


class _Ended(Exception):
    """The end of a trial whose watch has seen enough."""

    def __init__(self, step: int, bits: npt.NDArray[np.float64]) -> None:
        super().__init__(step)
        self.step, self.bits = step, bits


def shortened(
    settings: AdaptSettings, steps: int, seed: int, model: PreTrainedModel, batch_tokens: int | None = None
) -> AdaptSettings:
    """An adaptation with another number of steps: the same rates and schedule, phases cut or the last one extended.

    The text is neither augmented nor mixed with others, a shielded body trains as a whole, and what learns entities is
    replaced by the usual objective.

    Args:
        settings: The adaptation as it would be.
        steps: How many steps the short one has.
        seed: Its seed.
        model: The model; sequences are no longer than its context.
        batch_tokens: Tokens in a batch, sequences are no longer than that; without, as many as before.
    """
    phases: list[Phase] = []
    left = steps
    for n, phase in enumerate(settings.phases):
        taken = left if n == len(settings.phases) - 1 else min(left, phase.steps)
        if taken:
            phases.append(phase.model_copy(update={"steps": taken, "body": _unshielded(phase.body)}))
        left -= taken
    batch = batch_tokens or settings.batch_tokens
    longest = min(settings.sequence_length, context_length(model), batch_tokens or settings.sequence_length)
    changes = {"steps": steps, "seed": seed, "phases": phases, "sequence_length": longest, "checkpoint_every": 0}
    changes |= {"batch_tokens": batch, "augment": [], "mixture": None, "body": _unshielded(settings.body)}
    if learns_entities(settings):
        changes |= {"objective": None, "objective_options": {}}
    return settings.model_copy(update=changes)


def _unshielded(body: str) -> str:
    return "full" if shielded_share(body) else body
