"""Operations of a training: a case worked out by hand, and what torch counts in a real step."""

from __future__ import annotations

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from transformers import LlamaConfig, LlamaForCausalLM

from lexigraft.api.doctor.operations import training_operations
from lexigraft.core.config.adaptation import AdaptSettings
from lexigraft.core.models.disk_model import Header

TIED = Header(rows=100, hidden=8, dtype="F32", tied=True, parameters=2000 + 100 * 8)


@pytest.mark.parametrize(
    ("changes", "token"),
    [
        # Body 4 x 2000, head 6 x .15 x 50 x 8, attention 12 x 2 layers x 8 x 16.
        ({}, 8000 + 360 + 3072),
        ({"body": "full"}, 12000 + 360 + 3072),
        ({"embeddings": "frozen"}, 8000 + 240 + 3072),
        ({"head": "frozen"}, 8000 + 360 + 3072),  # tied: the embeddings decide
    ],
)
def test_a_case_by_hand(changes: dict[str, str], token: float) -> None:
    settings = AdaptSettings(steps=2, batch_tokens=64, sequence_length=16, **changes)  # type: ignore[arg-type]
    assert training_operations(settings, TIED, 50, layers=2, predicted=0.15) == pytest.approx(2 * 64 * token)


def test_phases_count_each_by_what_trains_in_it() -> None:
    phases = [{"steps": 1, "body": "frozen"}, {"steps": 3, "body": "full"}]
    settings = AdaptSettings.model_validate({"steps": 4, "batch_tokens": 64, "sequence_length": 16, "phases": phases})
    expected = 64 * (1 * (8000 + 360 + 3072) + 3 * (12000 + 360 + 3072))
    assert training_operations(settings, TIED, 50, layers=2, predicted=0.15) == pytest.approx(expected)


@pytest.mark.parametrize("body", ["frozen", "full"])
def test_torch_counts_as_many_in_a_step(body: str) -> None:
    shape = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=200, tie_word_embeddings=False, **shape))
    for parameter in model.model.layers.parameters():
        parameter.requires_grad_(body == "full")
    ids = torch.arange(128).view(4, 32)
    counter = FlopCounterMode(display=False)
    with counter, sdpa_kernel(SDPBackend.MATH):
        model(input_ids=ids).logits.sum().backward()
    header = Header(rows=200, hidden=64, dtype="F32", tied=False, parameters=model.num_parameters())
    settings = AdaptSettings(steps=1, batch_tokens=128, sequence_length=32, body=body)
    counted = training_operations(settings, header, 200, layers=2, predicted=1.0)
    assert counted == pytest.approx(counter.get_total_flops(), rel=0.02)
