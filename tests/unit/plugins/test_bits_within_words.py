"""Bits of words in several pieces: the chain rule by hand, a language with a known distribution, groups of tokens."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from fixtures.known_words import PIECES, WHOLE, KnownWords
from lexigraft.core.evaluation.evaluator import EvaluationContext, TextData
from lexigraft.core.evaluation.line_tokens import tokenize_lines
from lexigraft.core.evaluation.scores import Scores
from lexigraft.core.evaluation.windows import masked_items
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.plugins.evaluators.bits_per_byte import BitsPerByte
from lexigraft.testing.sample_text import SOURCE_TEXT
from lexigraft.testing.tiny_models import fixture

LINE = "aa ab ba"


def scores(evaluator: BitsPerByte, model: KnownWords, line: str = LINE, **known: np.ndarray) -> Scores:
    vocabulary = WHOLE if "aa" in model.tokens else PIECES
    return evaluator.evaluate(model, vocabulary, TextData.of([line]), EvaluationContext(**known))


def bits(evaluator: BitsPerByte, model: KnownWords, line: str = LINE) -> float:
    return scores(evaluator, model, line).figures["bits_per_line"]


@pytest.mark.parametrize("stripes", [1, 2, 5])
def test_the_same_knowledge_costs_the_same_in_one_piece_and_in_two(stripes: int) -> None:
    # aa: log2 2 = 1, ab: log2 4 = 2, ba: 2. In pieces: log2 4/3 + log2 3/2 = 1, log2 4/3 + log2 3 = 2, log2 4 + 0 = 2.
    for vocabulary in (WHOLE, PIECES):
        assert bits(BitsPerByte(stripes=stripes), KnownWords(vocabulary)) == pytest.approx(5)


def test_hiding_whole_words_charges_for_splitting_them() -> None:
    # Each piece as if it did not know the other: aa 2 log2 4/3, ab log2 4/3 + log2 4, ba log2 4 + log2 4/3.
    whole = BitsPerByte(within_word="whole")
    assert bits(whole, KnownWords(PIECES)) == pytest.approx(4 * math.log2(4 / 3) + 4)
    assert bits(whole, KnownWords(WHOLE)) == pytest.approx(5)


def test_the_other_words_of_a_stripe_stay_hidden() -> None:
    # With one stripe all words are hidden; this model would lose itself if it saw a piece of another one.
    assert bits(BitsPerByte(stripes=1), KnownWords(PIECES, alone=True)) == pytest.approx(5)


@pytest.mark.parametrize("stripes", [1, 2])
def test_an_encoder_decoder_model_obeys_the_chain_rule_whichever_way_is_asked_for(stripes: int) -> None:
    for vocabulary in (WHOLE, PIECES):
        for way in ("left_to_right", "whole"):
            model = KnownWords(vocabulary, encoder_decoder=True)
            assert bits(BitsPerByte(stripes=stripes, within_word=way), model) == pytest.approx(5)


def _bert() -> tuple[object, Vocabulary]:
    model, tokenizer, _ = fixture("bert-tied-bias")
    return model, Vocabulary.of(tokenizer)


def test_the_chain_rule_by_hand_on_a_real_architecture() -> None:
    model, vocabulary = _bert()
    line = SOURCE_TEXT.splitlines()[0]
    read = tokenize_lines(vocabulary, [line])[0]
    cls, sep, mask = (vocabulary.specials[role] for role in ("cls", "sep", "mask"))
    assert len(read.ids) > read.word_count > 4
    expected = 0.0
    for i, word in enumerate(read.words):
        ids = [mask if w % 3 == word % 3 and not (w == word and j < i) else t
               for j, (t, w) in enumerate(zip(read.ids.tolist(), read.words, strict=True))]  # fmt: skip
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([[cls, *ids, sep]])).logits[0, i + 1]
        expected -= logits.log_softmax(-1)[read.ids[i]].item() / math.log(2)
    found = BitsPerByte(stripes=3).line_bits(model, vocabulary, [line])
    assert found.tolist() == pytest.approx([expected], rel=1e-5)


def test_words_of_one_piece_cost_the_same_both_ways() -> None:
    model, vocabulary = _bert()
    single: set[int] = set()
    for read in tokenize_lines(vocabulary, SOURCE_TEXT.splitlines()):
        single |= set(read.ids[np.bincount(read.words)[read.words] == 1].tolist())
    text = " ".join(vocabulary.tokens[i] for i in sorted(single)[:12])
    read = tokenize_lines(vocabulary, [text])[0]
    assert len(read.ids) == read.word_count
    both = [BitsPerByte(within_word=way).line_bits(model, vocabulary, [text]) for way in ("left_to_right", "whole")]
    assert both[0].tolist() == both[1].tolist()


def test_a_line_reads_one_input_a_stripe_and_one_more_for_every_further_piece() -> None:
    _, vocabulary = _bert()
    read = tokenize_lines(vocabulary, [SOURCE_TEXT.splitlines()[0]])[0]
    frame = (np.array([1]), np.array([2]))
    counts = [len(list(masked_items(read, 4, 4, frame, 512, way))) for way in ("whole", "left_to_right")]
    assert counts == [4, 4 + len(read.ids) - read.word_count]


def test_groups_of_tokens_have_their_bits_over_the_bytes_that_they_stand_for() -> None:
    # "aa ab ba" in pieces: a ##a a ##b b ##a, 1 byte each and one more for a and b after a space: 1 1, 2 1, 2 1.
    # Seen 4 times: b (2 bits, 2 bytes) and ##b (log2 3 bits, 1 byte). Seen 15: a (2 x log2 4/3, 1 + 2 bytes).
    # Seen 100 times: ##a (log2 3/2 after a, 0 after b; 1 + 1 bytes). Nothing was seen 5 to 14 times.
    counts = np.zeros(PIECES.size, np.int64)
    ids = {token: PIECES.id_of(token) for token in ("a", "b", "##a", "##b")}
    for token, count in {"b": 4, "##b": 4, "a": 15, "##a": 100}.items():
        counts[ids[token]] = count
    moved = np.array([ids["##b"], ids["a"]])
    found = scores(BitsPerByte(), KnownWords(PIECES), token_counts=counts, moved_ids=moved).figures
    assert found["bits_per_byte_seen_0-4"] == pytest.approx((2 + math.log2(3)) / 3)
    assert found["bits_per_byte_seen_15-99"] == pytest.approx(2 * math.log2(4 / 3) / 3)
    assert found["bits_per_byte_seen_100-up"] == pytest.approx(math.log2(3 / 2) / 2)
    assert "bits_per_byte_seen_5-14" not in found
    assert found["bits_per_byte_moved"] == pytest.approx((math.log2(3) + 2 * math.log2(4 / 3)) / 4)
    assert found["bits_per_byte"] == pytest.approx(5 / 8)
    assert not [name for name in scores(BitsPerByte(), KnownWords(PIECES)).figures if "seen" in name or "moved" in name]


@pytest.mark.parametrize("name", ["bert-tied-bias", "roberta-tied-bias", "llama-untied", "t5-tied"])
def test_groups_add_up_to_the_whole(name: str) -> None:
    model, tokenizer, _ = fixture(name)
    vocabulary, lines = Vocabulary.of(tokenizer), [*SOURCE_TEXT.splitlines()[:3], "mañana 数 ñ"]
    counts = np.arange(vocabulary.size) % 130
    for bos in ("auto", "never"):
        data, context = TextData.of(lines), EvaluationContext(token_counts=counts)
        found = BitsPerByte(stripes=2, bos=bos).evaluate(model, vocabulary, data, context)
        groups = [items for figure, items in found.items.items() if "seen" in figure]
        assert len(groups) == 4
        whole = found.items["bits_per_byte"]
        paid = 8 * found.figures["unknown_share"] * whole.denominators.sum()
        assert sum(group.numerators.sum() for group in groups) == pytest.approx(whole.numerators.sum() - paid)
        assert sum(group.denominators.sum() for group in groups) <= whole.denominators.sum() + 1e-9
        assert found.items["bits_per_line"].denominators.tolist() == [1] * len(lines)


@pytest.mark.parametrize("name", ["roberta-tied-bias", "llama-untied", "t5-tied"])
def test_every_byte_of_a_text_belongs_to_a_token(name: str) -> None:
    vocabulary = Vocabulary.of(fixture(name)[1])
    for line in [*SOURCE_TEXT.splitlines(), "a  b"]:
        [read] = tokenize_lines(vocabulary, [line])
        assert read.sizes.sum() == pytest.approx(len(line.encode()) - read.hidden_bytes)
        assert (read.sizes >= 0).all()


def test_characters_in_several_tokens_are_shared_among_them() -> None:
    vocabulary = Vocabulary.of(fixture("llama-untied")[1])
    [read] = tokenize_lines(vocabulary, ["the 数"])
    fallback = [size for i, size in zip(read.ids, read.sizes, strict=True) if vocabulary.tokens[i].startswith("<0x")]
    assert fallback == pytest.approx([1.0, 1.0, 1.0])
