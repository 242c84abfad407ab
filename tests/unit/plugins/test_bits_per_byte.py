"""Bits per byte: golden cases worked by hand, every token scored once, nothing free, independent of batches."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.evaluator import EvaluationContext, TextData
from lexigraft.core.evaluation.line_tokens import tokenize_lines
from lexigraft.core.evaluation.windows import WithinWord, causal_items, masked_items, span_items
from lexigraft.core.models.architecture import context_length
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.plugins.evaluators.bits_per_byte import BitsPerByte
from lexigraft.testing.sample_text import SOURCE_TEXT, TARGET_TEXT
from lexigraft.testing.tiny_models import POSITIONS, fixture

LINES = SOURCE_TEXT.splitlines()
LONG = " ".join(LINES[:8])
KINDS = ["roberta-tied-bias", "bert-tied-bias", "llama-untied", "gpt2-tied", "gemma-scaled", "t5-tied", "mt5-untied"]
MASKED = ["roberta-tied-bias", "bert-tied-bias"]


def _load(name: str) -> tuple[PreTrainedModel, Vocabulary]:
    model, tokenizer, _ = fixture(name)
    return model, Vocabulary.of(tokenizer)


def figures(
    evaluator: BitsPerByte, model: PreTrainedModel, vocabulary: Vocabulary, lines: Sequence[str]
) -> Mapping[str, float]:
    return evaluator.evaluate(model, vocabulary, TextData.of(lines), EvaluationContext()).figures


def _make_uniform(model: PreTrainedModel) -> None:
    head = model.get_output_embeddings()
    with torch.no_grad():
        head.weight.zero_()
        if head.bias is not None:
            head.bias.zero_()


@pytest.mark.parametrize("name", KINDS)
def test_a_model_that_knows_nothing_needs_log2_of_the_vocabulary_for_each_token(name: str) -> None:
    model, vocabulary = _load(name)
    _make_uniform(model)
    lines = [*LINES, LONG]
    found = figures(BitsPerByte(), model, vocabulary, lines)
    tokens = sum(map(len, vocabulary.encode(lines)))
    rows = model.get_output_embeddings().weight.shape[0]
    assert found["tokens"] == tokens
    assert found["bits_per_byte"] == pytest.approx(tokens * math.log2(rows) / sum(len(s.encode()) for s in lines))
    assert found["tokens_per_word"] == pytest.approx(tokens / sum(len(s.split()) for s in lines))
    assert found["unknown_share"] == 0
    assert found["lossless_share"] == 1


@pytest.mark.parametrize("name", KINDS)
def test_batches_do_not_matter_and_the_model_is_left_as_it_was(name: str) -> None:
    model, vocabulary = _load(name)
    model.train()
    state = torch.random.get_rng_state()
    lines = [*LINES[:2], " ".join(LINES[2:4]), LINES[4]]
    found = [figures(BitsPerByte(batch_tokens=n), model, vocabulary, lines) for n in (1, 200, 8192)]
    assert model.training
    assert torch.equal(state, torch.random.get_rng_state())
    for other in found[1:]:
        assert other == pytest.approx(found[0], abs=1e-5)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("bos", ["auto", "never"])
def test_bits_by_line_are_those_of_each_line_alone_and_add_up_to_the_figure(name: str, bos: str) -> None:
    model, vocabulary = _load(name)
    yardstick = BitsPerByte(bos=bos, stripes=3, max_length=40)
    lines = [*LINES[:6], "", LONG, "数"]
    bits = yardstick.line_bits(model, vocabulary, lines)
    assert bits.shape == (len(lines),)
    size = sum(len(line.encode()) for line in lines)
    assert bits.sum() / size == pytest.approx(figures(yardstick, model, vocabulary, lines)["bits_per_byte"])
    for line, found in zip(lines, bits, strict=True):
        alone = figures(yardstick, model, vocabulary, [line])["bits_per_byte"] * len(line.encode()) if line else 0.0
        assert found == pytest.approx(alone, rel=1e-5)


@pytest.mark.parametrize("name", MASKED)
def test_masked_bits_equal_masking_by_hand(name: str) -> None:
    model, vocabulary = _load(name)
    line = LINES[0]
    cls, sep, mask = (vocabulary.specials[role] for role in ("cls", "sep", "mask"))
    bits = 0.0
    encoding = vocabulary.tokenizer.backend_tokenizer.encode(line, add_special_tokens=False)
    words = [len(line[: max(start, line.find(token.lstrip("Ġ#"), start)) + 1].split()) - 1
             for token, (start, _) in zip(encoding.tokens, encoding.offsets, strict=True)]  # fmt: skip
    for stripe in range(5):
        hidden = [i for i, word in enumerate(words) if word % 5 == stripe]
        ids = [cls, *encoding.ids, sep]
        for i in hidden:
            ids[i + 1] = mask
        with torch.no_grad():
            chances = model(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)
        bits -= sum(chances[i + 1, encoding.ids[i]].item() for i in hidden) / math.log(2)
    found = figures(BitsPerByte(within_word="whole"), model, vocabulary, [line])["bits_per_byte"]
    assert found == pytest.approx(bits / len(line.encode()), abs=1e-5)


@pytest.mark.parametrize("name", ["llama-untied", "gpt2-tied", "gemma-scaled"])
def test_causal_bits_equal_the_models_own_loss(name: str) -> None:
    model, vocabulary = _load(name)
    line = LINES[1]
    ids = torch.tensor([[vocabulary.specials["bos"], *vocabulary.encode([line])[0]]])
    with torch.no_grad():
        nats = model(input_ids=ids, labels=ids).loss.item() * (ids.shape[1] - 1)
    found = figures(BitsPerByte(), model, vocabulary, [line])["bits_per_byte"]
    assert found == pytest.approx(nats / math.log(2) / len(line.encode()), abs=1e-5)


def test_encoder_decoder_bits_equal_writing_the_spans_by_hand() -> None:
    model, vocabulary = _load("t5-tied")
    words = ["The", "river", "runs", "past"]
    line = " ".join(words)
    pieces = vocabulary.encode(words)
    assert [i for piece in pieces for i in piece] == vocabulary.encode([line])[0]
    sentinels = [vocabulary.id_of(f"<extra_id_{n}>") for n in range(2)]
    end = vocabulary.specials["eos"]
    bits = 0.0
    for stripe in range(2):
        inputs: list[int] = []
        written: list[int] = []
        scored: list[bool] = []
        for i, piece in enumerate(pieces):
            if i % 2 == stripe:
                mark = sentinels[i // 2]
                inputs.append(mark)
                written += [mark, *piece]
                scored += [False, *[True] * len(piece)]
            else:
                inputs += piece
        labels = torch.tensor([written])
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([[*inputs, end]]), labels=labels).logits[0]
        chances = logits.log_softmax(-1)
        bits -= sum(chances[i, t].item() for i, t in enumerate(written) if scored[i]) / math.log(2)
    found = figures(BitsPerByte(stripes=2), model, vocabulary, [line])["bits_per_byte"]
    assert found == pytest.approx(bits / len(line.encode()), abs=1e-5)


@pytest.mark.parametrize("context", [9, 40, 512])
@pytest.mark.parametrize("within_word", ["left_to_right", "whole"])
def test_every_token_is_scored_exactly_once_where_it_is_hidden(context: int, within_word: WithinWord) -> None:
    _, vocabulary = _load("bert-tied-bias")
    line = tokenize_lines(vocabulary, [LONG])[0]
    frame = (np.array([1]), np.array([2]))
    items = list(masked_items(line, 5, 4, frame, context, within_word))
    assert all(len(item.inputs) <= context for item in items)
    assert sorted(itertools.chain(*(item.targets for item in items))) == sorted(line.ids)
    assert sum(len(item.targets) for item in items) == len(line.ids)
    assert all((item.inputs[item.positions] == 4).all() for item in items)


@pytest.mark.parametrize(("context", "stride"), [(8, 4), (8, 8), (16, 1), (1000, 500)])
def test_strided_windows_score_each_token_once_with_enough_before_it(context: int, stride: int) -> None:
    _, vocabulary = _load("llama-untied")
    line = tokenize_lines(vocabulary, [LONG])[0]
    seen: list[int] = []
    for item in causal_items(line, 0, context, stride):
        assert len(item.inputs) <= context
        if seen:
            assert item.positions[0] >= min(len(seen), context - stride)
        seen += item.targets.tolist()
    assert seen == line.ids.tolist()


def test_spans_never_need_more_sentinels_than_there_are() -> None:
    _, vocabulary = _load("t5-tied")
    line = tokenize_lines(vocabulary, [LONG])[0]
    sentinels = np.array([900, 901, 902])
    items = list(span_items(line, 5, sentinels, 0, np.array([1]), 512))
    assert sorted(itertools.chain(*(item.targets for item in items))) == sorted(line.ids)
    for item in items:
        marks = item.inputs[item.inputs >= 900].tolist()
        assert marks == sentinels[: len(marks)].tolist()


def test_contexts_are_what_the_models_take() -> None:
    roberta, bert = fixture("roberta-tied-bias")[0], fixture("bert-tied-bias")[0]
    assert context_length(roberta) == POSITIONS - roberta.config.pad_token_id - 1
    assert context_length(bert) == POSITIONS
    for model in (roberta, bert):
        ids = torch.full((1, context_length(model)), 20)
        assert torch.isfinite(model(input_ids=ids).logits).all()


@pytest.mark.parametrize("names", [("roberta-tied-bias", "bert-tied-bias"), ("llama-untied", "gpt2-tied")])
def test_all_tokenizers_see_the_same_words(names: tuple[str, str]) -> None:
    for line, one, other in zip(LINES, *(tokenize_lines(_load(n)[1], LINES) for n in names), strict=True):
        assert one.word_count == other.word_count == len(line.split())
        for read in (one, other):
            assert sorted(set(read.words)) == list(range(len(line.split())))


def test_what_a_tokenizer_cannot_say_costs_eight_bits_a_byte() -> None:
    model, vocabulary = _load("bert-tied-bias")
    _make_uniform(model)
    known, strange = LINES[0], f"{LINES[0]} 🌽🌽"
    rows = model.get_output_embeddings().weight.shape[0]
    plain, paid = (figures(BitsPerByte(), model, vocabulary, [line]) for line in (known, strange))
    bits = [found["bits_per_byte"] * len(line.encode()) for found, line in ((plain, known), (paid, strange))]
    assert bits[1] - bits[0] == pytest.approx(math.log2(rows) + 8 * 8)
    assert paid["unknown_share"] == pytest.approx(8 / len(strange.encode()))
    assert paid["lossless_share"] == 0


def test_characters_that_vanish_without_an_unknown_token_are_paid_for_too() -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    backend = Tokenizer(models.BPE({"a": 0, "b": 1, "<s>": 2}, []))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    vocabulary = Vocabulary.of(PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>"))
    read = tokenize_lines(vocabulary, ["ab zé b"])[0]
    assert read.ids.tolist() == [0, 1, 1]
    assert read.words.tolist() == [0, 0, 2]
    assert read.hidden_bytes == 3


def test_the_prefix_is_chosen_openly() -> None:
    model, vocabulary = _load("llama-untied")
    auto, always, never = (
        figures(BitsPerByte(bos=choice), model, vocabulary, LINES)["bits_per_byte"]
        for choice in ("auto", "always", "never")
    )
    assert auto == always
    assert never != auto
    _make_uniform(model)
    auto, never = (
        figures(BitsPerByte(bos=choice), model, vocabulary, LINES)["bits_per_byte"] for choice in ("auto", "never")
    )
    assert never == pytest.approx(auto, abs=1e-3)


def test_text_of_all_scripts_is_read() -> None:
    for name in KINDS:
        model, vocabulary = _load(name)
        found = figures(BitsPerByte(), model, vocabulary, [*TARGET_TEXT.splitlines(), "   ", " x ", "\u00a0é\u0301 "])
        assert math.isfinite(found["bits_per_byte"])


def test_wrong_uses_are_refused() -> None:
    model, vocabulary = _load("bert-tied-bias")
    with pytest.raises(LexigraftError, match="no text"):
        figures(BitsPerByte(), model, vocabulary, ["", ""])
    other = _load("llama-untied")[1]
    with pytest.raises(LexigraftError, match="no mask token"):
        figures(BitsPerByte(), model, other, ["the"])
    small = fixture("bert-tied-bias")[0]
    small.resize_token_embeddings(10)
    with pytest.raises(LexigraftError, match="beyond the model's table"):
        figures(BitsPerByte(), small, vocabulary, LINES)
    with pytest.raises(ValueError, match="stripes"):
        BitsPerByte(stripes=0)
