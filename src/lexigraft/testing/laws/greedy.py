"""Law that an added token with a convex row never outscores every old token."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING

from lexigraft.core.models.surgery import install
from lexigraft.testing.law import Law, require, skip_unless
from lexigraft.testing.sample_text import SOURCE_TEXT
from lexigraft.testing.trial import Trial

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from lexigraft.core.tokenization.vocabulary import Vocabulary

SENTENCES = 6
LONGEST = 48
TIE = 1e-4
"""Logits closer than this are a tie: float32 sums in another order differ by less."""


def _logits(model: PreTrainedModel, vocabulary: Vocabulary) -> Iterator[torch.Tensor]:
    """The logits at every position of some source sentences, ``(length, rows)`` each."""
    import torch

    for ids in vocabulary.encode(SOURCE_TEXT.splitlines()[:SENTENCES]):
        inputs = {"input_ids": torch.tensor([ids[:LONGEST]])}
        if model.config.is_encoder_decoder:
            inputs["decoder_input_ids"] = inputs["input_ids"]
        with torch.no_grad():
            yield model(**inputs).logits[0]


def _greedy_choices_stay(trial: Trial) -> None:
    """With ``u_new = sum_i w_i u_i``, w convex, a new logit is ``sum_i w_i l_i <= max_i l_i``, its bias included.

    Computed in float32: rows rounded to a smaller type leave the convex hull by the rounding.
    """
    skip_unless(trial.strategy.convex, "the strategy does not claim convex rows")
    skip_unless(trial.copies_matched, "the strategy re-estimates matched rows, or keeps another body")
    model = copy.deepcopy(trial.fixture.model).float()
    source, size = trial.fixture.source, trial.fixture.source.size
    before = [logits[:, :size] for logits in _logits(model, source)]
    install(model, trial.extension.tables, source, trial.fixture.extended.target)
    overtaken = positions = 0
    for old, logits in zip(before, _logits(model, source), strict=True):
        require(float((logits[:, :size] - old).abs().max()) < TIE, "the logits of old tokens changed")
        overtaken += int((logits[:, size:].amax(1) > logits[:, :size].amax(1) + TIE).sum())
        positions += len(old)
    require(overtaken == 0, f"at {overtaken} of {positions} positions an added token wins over every old one")


LAWS = (Law("added rows leave greedy choices as they were", "greedy", _greedy_choices_stay),)
