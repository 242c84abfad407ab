"""Words as pieces: every word is read at its own piece, in every family of tokenizers, also in cut sentences."""

from __future__ import annotations

import numpy as np
import pytest

from lexigraft.core.evaluation.frames import frame_of
from lexigraft.core.evaluation.heads.word_pieces import word_windows
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.sample_text import SOURCE_TEXT
from lexigraft.testing.tiny_models import fixture

KINDS = ["bert-tied-bias", "roberta-tied-bias", "roberta-padded", "llama-untied", "gpt2-tied", "t5-tied"]
SENTENCES = [line.split() for line in SOURCE_TEXT.splitlines()[:6]]


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("context", [12, 96])
def test_the_pieces_between_two_words_spell_the_word(name: str, context: int) -> None:
    model, tokenizer, _ = fixture(name)
    vocabulary = Vocabulary.of(tokenizer)
    frame = frame_of(model, vocabulary)
    firsts, lost = word_windows(vocabulary, SENTENCES, frame, context, "first")
    lasts, _ = word_windows(vocabulary, SENTENCES, frame, context, "last")
    assert [len(words) for words in lost] == [0] * len(SENTENCES)
    read: list[tuple[int, int]] = []
    for first, last in zip(firsts, lasts, strict=True):
        assert len(first.ids) <= context
        assert first.ids[: len(frame.first)].tolist() == frame.first.tolist()
        for word, start, end in zip(first.words, first.positions, last.positions, strict=True):
            spelled = "".join(tokenizer.decode(first.ids[start : end + 1]).split())
            assert spelled.lower() == SENTENCES[first.sentence][word].lower()
            read.append((first.sentence, int(word)))
    assert read == [(n, m) for n, words in enumerate(SENTENCES) for m in range(len(words))]


def test_a_word_that_is_longer_than_the_context_is_read_once() -> None:
    model, tokenizer, _ = fixture("bert-tied-bias")
    vocabulary = Vocabulary.of(tokenizer)
    sentence = ["a", "zqxj" * 10, "b"]
    windows, _ = word_windows(vocabulary, [sentence], frame_of(model, vocabulary), 10, "last")
    assert np.concatenate([w.words for w in windows]).tolist() == [0, 1, 2]
    assert max(len(w.ids) for w in windows) <= 10


def test_words_that_the_tokenizer_cannot_express_are_named() -> None:
    model, tokenizer, _ = fixture("bert-tied-bias")
    vocabulary = Vocabulary.of(tokenizer)
    windows, lost = word_windows(vocabulary, [["a", "ꙮ", "\u200d", "a ꙮ"]], frame_of(model, vocabulary), 50, "first")
    assert lost[0].tolist() == [1, 2]
    # The zero-width joiner has no piece at all; the others are read, the unknown word at its unknown piece.
    assert windows[0].words.tolist() == [0, 1, 3]
