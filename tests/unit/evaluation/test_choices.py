"""Log-likelihoods of continuations: worked out with the model's own logits, at boundaries, and beyond the context."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.choices import Question, first_scored, log_likelihoods
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.sample_text import SOURCE_TEXT
from lexigraft.testing.tiny_models import fixture

LINES = SOURCE_TEXT.splitlines()
KINDS = ["roberta-tied-bias", "bert-tied-bias", "llama-untied", "gpt2-tied", "t5-tied", "mt5-untied"]
ASKED = Question("The river runs", (" past the old house", " and"))


@cache
def _shared(name: str) -> tuple[PreTrainedModel, Vocabulary]:
    model, tokenizer, _ = fixture(name)
    return model, Vocabulary.of(tokenizer)


def _chances(model: PreTrainedModel, ids: list[int], **more: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=torch.tensor([ids]), **more).logits[0].log_softmax(-1)


@pytest.mark.parametrize("name", ["llama-untied", "gpt2-tied"])
def test_causal_models_predict_the_continuation_from_bos_and_context(name: str) -> None:
    model, vocabulary = _shared(name)
    found = log_likelihoods(model, vocabulary, [ASKED])[0]
    for continuation, value in zip(ASKED.continuations, found, strict=True):
        [before, whole] = vocabulary.encode([ASKED.context, ASKED.context + continuation])
        assert whole[: len(before)] == before
        chances = _chances(model, [vocabulary.specials["bos"], *whole])
        wanted = sum(chances[i, whole[i]].item() for i in range(len(before), len(whole)))
        assert value == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("name", ["roberta-tied-bias", "bert-tied-bias"])
def test_masked_models_see_later_words_but_not_the_rest_of_the_same_word(name: str) -> None:
    model, vocabulary = _shared(name)
    question = Question("The river", (" riverside grow",))
    words = ["The", " river", " riverside", " grow"]
    pieces = [vocabulary.encode([word])[0] for word in words]
    ids = [i for piece in pieces for i in piece]
    assert ids == vocabulary.encode(["The river riverside grow"])[0]
    assert len(pieces[2]) > 2
    cls, sep, mask = (vocabulary.specials[role] for role in ("cls", "sep", "mask"))
    wanted, begin = 0.0, len(pieces[0]) + len(pieces[1])
    for piece in pieces[2:]:
        for n in range(len(piece)):
            hidden = [*ids[: begin + n], *[mask] * (len(piece) - n), *ids[begin + len(piece) :]]
            wanted += _chances(model, [cls, *hidden, sep])[1 + begin + n, piece[n]].item()
        begin += len(piece)
    assert log_likelihoods(model, vocabulary, [question])[0][0] == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("decoder", ["auto", "plain"])
@pytest.mark.parametrize("name", ["t5-tied", "mt5-untied"])
def test_encoder_decoder_models_write_the_continuation(name: str, decoder: str) -> None:
    model, vocabulary = _shared(name)
    [before, whole] = vocabulary.encode([ASKED.context, ASKED.context + ASKED.continuations[0]])
    rest = whole[len(before) :]
    mark = [vocabulary.id_of("<extra_id_0>")] if decoder == "auto" else []
    labels = torch.tensor([[*mark, *rest]])
    chances = _chances(model, [*before, *mark, vocabulary.specials["eos"]], labels=labels)
    wanted = sum(chances[len(mark) + n, i].item() for n, i in enumerate(rest))
    found = log_likelihoods(model, vocabulary, [ASKED], decoder=decoder)[0]
    assert found[0] == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("name", KINDS)
def test_batches_order_and_company_do_not_matter_and_the_model_is_left_as_it_was(name: str) -> None:
    model, vocabulary = _shared(name)
    questions = [ASKED, Question("", (LINES[0], LINES[1])), Question(LINES[2], (" the", " the house", " a"))]
    model.train()
    state = torch.random.get_rng_state()
    found = log_likelihoods(model, vocabulary, questions)
    again = log_likelihoods(model, vocabulary, questions[::-1], batch_tokens=1)[::-1]
    assert model.training
    model.eval()
    assert torch.equal(state, torch.random.get_rng_state())
    assert [len(of_one) for of_one in found] == [2, 2, 3]
    for one, other in zip(found, again, strict=True):
        assert one == pytest.approx(other, abs=1e-3)


@pytest.mark.parametrize("name", ["llama-untied", "gpt2-tied"])
def test_the_chain_rule_holds(name: str) -> None:
    """log p(b c | a) = log p(b | a) + log p(c | a b), and a sentence alone is a continuation of nothing."""
    model, vocabulary = _shared(name)
    a, b, c = "The river", " runs past", " the old house"
    whole, first, second = log_likelihoods(
        model, vocabulary, [Question(a, (b + c,)), Question(a, (b,)), Question(a + b, (c,))]
    )
    assert whole[0] == pytest.approx(first[0] + second[0], abs=1e-4)


def test_a_token_that_crosses_the_boundary_is_paid_for_by_all_choices() -> None:
    """The context is characters 0-2; the second text has a token over 2-3, so both are scored from character 2."""
    one = np.array([[0, 2], [2, 3], [3, 4]])
    two = np.array([[0, 2], [2, 4]])
    assert first_scored(3, [one]) == [2]
    assert first_scored(3, [one, two]) == [1, 1]
    # The first text's token over 1-3 is drawn in by the second one, and then the second one's token over 0-2.
    three = np.array([[0, 1], [1, 3], [3, 4]])
    assert first_scored(3, [three, np.array([[0, 2], [2, 4]])]) == [0, 0]
    assert first_scored(0, [one, two]) == [0, 0]
    assert first_scored(4, [one]) == [3]


def test_white_space_at_the_end_of_the_context_is_the_continuations() -> None:
    model, vocabulary = _shared("llama-untied")
    found = log_likelihoods(model, vocabulary, [Question("The river ", ("runs",)), Question("The river", (" runs",))])
    assert found[0] == pytest.approx(found[1], abs=1e-4)


@pytest.mark.parametrize("name", ["llama-untied", "bert-tied-bias", "t5-tied"])
def test_long_contexts_are_cut_on_the_left(name: str) -> None:
    model, vocabulary = _shared(name)
    end = " ".join(LINES[3:5])
    asked = [Question(f"{start} {end}", (" the house", " a")) for start in (LINES[0] * 9, LINES[1] * 9)]
    one, other = log_likelihoods(model, vocabulary, asked, max_length=24)
    assert one == pytest.approx(other, abs=1e-4)
    whole = log_likelihoods(model, vocabulary, asked)[0]
    assert whole != pytest.approx(one, abs=1e-4)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("bos", ["auto", "never"])
def test_a_continuation_longer_than_the_context_is_scored_to_its_last_token(name: str, bos: str) -> None:
    """A model that knows nothing pays log(rows) for each token, however the text is cut."""
    model, vocabulary = _load_uniform(name)
    text = " ".join(LINES[:6])
    rows = model.get_output_embeddings().weight.shape[0]
    count = len(vocabulary.encode([text])[0])
    assert count > 40
    found = log_likelihoods(model, vocabulary, [Question("", (text,))], max_length=16, bos=bos)[0]
    assert found[0] == pytest.approx(-count * math.log(rows), rel=1e-3)


@cache
def _load_uniform(name: str) -> tuple[PreTrainedModel, Vocabulary]:
    model, tokenizer, _ = fixture(name)
    head = model.get_output_embeddings()
    with torch.no_grad():
        head.weight.zero_()
        if head.bias is not None:
            head.bias.zero_()
    return model, Vocabulary.of(tokenizer)


def test_what_the_tokenizer_cannot_say_costs_eight_bits_a_byte() -> None:
    """🌽 has 4 bytes and is one unknown token: its own log(rows) and 4 × 8 bits."""
    model, vocabulary = _load_uniform("bert-tied-bias")
    rows = model.get_output_embeddings().weight.shape[0]
    found = log_likelihoods(model, vocabulary, [Question("The river", (" 🌽",))])[0]
    assert found[0] == pytest.approx(-math.log(rows) - 32 * math.log(2), rel=1e-4)


def test_wrong_uses_are_refused() -> None:
    bert, llama = _shared("bert-tied-bias"), _shared("llama-untied")
    with pytest.raises(LexigraftError, match="no mask token"):
        log_likelihoods(bert[0], llama[1], [Question("", ("the",))])
    with pytest.raises(LexigraftError, match="no bos token"):
        log_likelihoods(llama[0], bert[1], [Question("", ("the",))], bos="always")
    with pytest.raises(LexigraftError, match="no sentinel tokens"):
        log_likelihoods(_shared("t5-tied")[0], bert[1], [Question("", ("the",))], decoder="sentinel")
    small = fixture("llama-untied")[0]
    small.resize_token_embeddings(10)
    with pytest.raises(LexigraftError, match="beyond the model's table"):
        log_likelihoods(small, llama[1], [Question("The", (" river",))])
    assert log_likelihoods(llama[0], llama[1], []) == []
