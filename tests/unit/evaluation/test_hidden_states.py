"""Pooled hidden states: each pooling against the model's own states, batches that change nothing, refusals."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from transformers import PreTrainedModel

from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.hidden_states import Pooling, pooled_states
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.sample_text import SOURCE_TEXT
from lexigraft.testing.tiny_models import POSITIONS, fixture

LINES = SOURCE_TEXT.splitlines()[:12]
MASKED, CAUSAL, SEQ2SEQ = "roberta-tied-bias", "llama-untied", "t5-tied"
KINDS = [MASKED, "bert-tied-bias", CAUSAL, "gpt2-tied", "gemma-scaled", SEQ2SEQ]


def fresh(name: str) -> tuple[PreTrainedModel, Vocabulary]:
    model, tokenizer, _ = fixture(name)
    return model, Vocabulary.of(tokenizer)


load = cache(fresh)


def own_states(model: PreTrainedModel, ids: list[int]) -> torch.Tensor:
    """Every layer's states of one sequence, as transformers gives them, ``(layers, length, hidden)``."""
    body = model.get_encoder() if model.config.is_encoder_decoder else model
    with torch.no_grad():
        return torch.stack(body(input_ids=torch.tensor([ids]), output_hidden_states=True).hidden_states)[:, 0]


@pytest.mark.parametrize("name", KINDS)
def test_every_pooling_is_the_mean_that_its_name_says_of_the_models_own_states(name: str) -> None:
    model, vocabulary = load(name)
    line = LINES[0]
    encoding = vocabulary.tokenizer.backend_tokenizer.encode(line)
    states = own_states(model, encoding.ids)
    text = [n for n, special in enumerate(encoding.special_tokens_mask) if not special]
    # MEXA: sum_t t h_t / sum_t t with t = 1, 2, ..., T over all tokens of the input.
    t = torch.arange(1.0, len(encoding.ids) + 1)
    expected = {
        "mean": states[:, text].mean(1),
        "weighted_mean": (states * t[:, None]).sum(1) / t.sum(),
        "last_token": states[:, text[-1]],
    }
    for pooling, wanted in expected.items():
        found = pooled_states(model, vocabulary, [line], pooling=pooling).vectors
        torch.testing.assert_close(found[:, 0], wanted, atol=1e-5, rtol=1e-5)


def test_cls_and_eos_are_the_states_of_the_special_tokens_around_the_text() -> None:
    model, vocabulary = load(MASKED)
    states = own_states(model, vocabulary.tokenizer.backend_tokenizer.encode(LINES[0]).ids)
    for pooling, place in (("cls", 0), ("eos", -1)):
        found = pooled_states(model, vocabulary, LINES[:1], pooling=pooling).vectors
        torch.testing.assert_close(found[:, 0], states[:, place], atol=1e-5, rtol=1e-5)
    model, vocabulary = load(CAUSAL)  # whose tokenizer puts a bos before a text and nothing behind it
    ids = [*vocabulary.tokenizer.backend_tokenizer.encode(LINES[0]).ids, vocabulary.specials["eos"]]
    found = pooled_states(model, vocabulary, LINES[:1], pooling="eos").vectors
    torch.testing.assert_close(found[:, 0], own_states(model, ids)[:, -1], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("pooling", ["mean", "weighted_mean", "last_token", "eos"])
def test_texts_together_have_the_vectors_of_each_text_alone(name: str, pooling: Pooling) -> None:
    model, vocabulary = load(name)
    lines = [*LINES, "a", LINES[3], LINES[0][:9]]
    together = pooled_states(model, vocabulary, lines, pooling=pooling).vectors
    alone = [pooled_states(model, vocabulary, [line], pooling=pooling).vectors for line in lines]
    torch.testing.assert_close(together, torch.cat(alone, 1), atol=2e-6, rtol=1e-6)
    small = pooled_states(model, vocabulary, lines, pooling=pooling, batch_tokens=1).vectors
    torch.testing.assert_close(together, small, atol=2e-6, rtol=1e-6)


def test_the_model_is_left_as_it_was() -> None:
    model, vocabulary = fresh(MASKED)
    model.train()
    model.lm_head.eval()
    for parameter in list(model.parameters())[::2]:
        parameter.requires_grad_(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modes, flags = [m.training for m in model.modules()], [p.requires_grad for p in model.parameters()]
    random = torch.random.get_rng_state()
    found = pooled_states(model, vocabulary, LINES)
    assert not found.vectors.requires_grad
    assert [m.training for m in model.modules()] == modes
    assert [p.requires_grad for p in model.parameters()] == flags
    assert torch.equal(torch.random.get_rng_state(), random)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    ids = torch.tensor([[5, 6, 7]])
    assert len(model(input_ids=ids, output_hidden_states=True).hidden_states) == 3
    assert torch.equal(pooled_states(model, vocabulary, LINES).vectors, found.vectors)


def test_layers_are_counted_from_both_ends_and_one_is_a_part_of_all() -> None:
    model, vocabulary = load(CAUSAL)  # two layers, and what the first one reads
    every = pooled_states(model, vocabulary, LINES).vectors
    assert every.shape == (3, len(LINES), model.config.hidden_size)
    for layer, place in ((0, 0), (2, 2), (-1, 2), (-3, 0), ("two_thirds", 1)):
        assert torch.equal(pooled_states(model, vocabulary, LINES, layer=layer).vectors[0], every[place])
    for layer in (3, -4):
        with pytest.raises(LexigraftError, match=rf"no such layer: {layer}.*0 .* to 2"):
            pooled_states(model, vocabulary, LINES, layer=layer)


def test_long_texts_are_cut_and_empty_ones_are_zero_and_both_are_counted() -> None:
    model, vocabulary = load(CAUSAL)
    long = " ".join(LINES * 8)
    found = pooled_states(model, vocabulary, [long, "", LINES[0]])
    assert (found.cut, found.empty) == (1, 1)
    assert not found.vectors[:, 1].any()
    kept = vocabulary.encode([long])[0][: POSITIONS - 1]  # one position is the bos
    assert torch.equal(found.vectors[:, 0], pooled_states(model, vocabulary, [kept]).vectors[:, 0])
    assert list(found.notes("target")) == [
        "1 target texts are longer than the model's context and were cut.",
        "1 target texts have no token in this vocabulary.",
    ]


def test_what_cannot_be_pooled_is_refused() -> None:
    model, vocabulary = load(CAUSAL)
    with pytest.raises(LexigraftError, match="first token has seen nothing"):
        pooled_states(model, vocabulary, LINES, pooling="cls")
    with pytest.raises(LexigraftError, match="no text has a token"):
        pooled_states(model, vocabulary, ["", ""])
    with pytest.raises(LexigraftError, match="beyond the model's table: 9999"):
        pooled_states(model, vocabulary, [[1, 9999]])
    seq2seq, words = load(SEQ2SEQ)  # whose tokenizer puts only an eos behind a text
    with pytest.raises(LexigraftError, match="no special token before a text"):
        pooled_states(seq2seq, words, LINES, pooling="cls")
    model, vocabulary = fresh(CAUSAL)
    with torch.no_grad():
        model.model.layers[1].mlp.up_proj.weight.fill_(torch.nan)
    with pytest.raises(LexigraftError, match="not finite"):
        pooled_states(model, vocabulary, LINES)
