"""Agreement of a draft with its target: known answers, and what is left out."""

from __future__ import annotations

import copy

import pytest
import torch

from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.draft_agreement import draft_agreement
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.sample_text import SAMPLE
from lexigraft.testing.tiny_models import fixture

LINES = SAMPLE["source"].splitlines()[:3]


class Fixed(torch.nn.Module):
    """A model that expects the same after every token."""

    config = fixture("llama-untied")[0].config
    device = torch.device("cpu")

    def __init__(self, probabilities: list[float], size: int) -> None:
        super().__init__()
        rest = (1 - sum(probabilities)) / (size - len(probabilities))
        self.logits = torch.tensor([*probabilities, *[rest] * (size - len(probabilities)), 1e6]).log()

    def forward(self, input_ids: torch.Tensor) -> object:
        from transformers.modeling_outputs import CausalLMOutput

        return CausalLMOutput(logits=self.logits.expand(1, input_ids.shape[1], -1))


def test_by_hand() -> None:
    vocabulary = Vocabulary.of(fixture("llama-untied")[1])
    # The lesser probabilities are 0.3, 0.2 and, of what is left, 0.2 of 0.2 and 0.3: 0.7. The most probable differ. The
    # row of padding, which both would choose, does not count.
    models = [Fixed(p, vocabulary.size) for p in ([0.6, 0.2], [0.3, 0.4])]
    found = draft_agreement(*models, vocabulary, LINES)
    assert found.sampling == pytest.approx(0.3 + 0.2 + 0.2, abs=1e-5)
    assert found.greedy == 0
    assert found.positions == sum(len(vocabulary.tokenizer(line).input_ids) - 1 for line in LINES)


def test_a_model_agrees_with_itself() -> None:
    model, tokenizer, _ = fixture("llama-untied")
    vocabulary = Vocabulary.of(tokenizer)
    found = draft_agreement(copy.deepcopy(model), model, vocabulary, LINES)
    assert (found.greedy, found.sampling) == (1, pytest.approx(1, abs=1e-5))
    with pytest.raises(LexigraftError, match="no line has two tokens: 0 lines"):
        draft_agreement(model, model, vocabulary, [])
