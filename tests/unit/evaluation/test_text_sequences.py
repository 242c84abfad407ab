"""Sequences of texts and pairs: special tokens around them, the longer text cut first."""

from __future__ import annotations

import numpy as np
import pytest

from lexigraft.core.evaluation.frames import Frame, frame_of
from lexigraft.core.evaluation.heads.text_sequences import text_sequences
from lexigraft.core.evaluation.model_body import padded
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.tiny_models import fixture

PAIR = ("the river flows", "a day")


@pytest.mark.parametrize(
    ("name", "roles"),
    [
        ("bert-tied-bias", ("cls", "sep", "sep")),
        ("roberta-tied-bias", ("bos", "eos", "eos")),
        ("llama-untied", ("bos", "eos", None)),
        ("t5-tied", (None, "eos", "eos")),
    ],
)
def test_a_pair_stands_in_the_frame_of_its_kind_of_model(name: str, roles: tuple[str | None, ...]) -> None:
    model, tokenizer, _ = fixture(name)
    vocabulary = Vocabulary.of(tokenizer)
    frame = frame_of(model, vocabulary)
    first, between, last = ([] if role is None else [vocabulary.specials[role]] for role in roles)
    one, two = vocabulary.encode(PAIR)
    [sequence], cut, unknown = text_sequences(vocabulary, [PAIR], frame, 90)
    assert sequence.ids.tolist() == [*first, *one, *between, *two, *last]
    assert sequence.ids[sequence.positions].tolist() == [*one, *two]
    assert sequence.second == len(first) + len(one) + len(between)
    assert (cut, unknown) == (0, 0)


@pytest.mark.parametrize(
    ("lengths", "context", "kept"),
    [((9, 3), 13, (7, 3)), ((3, 9), 13, (3, 7)), ((9, 9), 13, (5, 5)), ((9, 8), 14, (6, 5)), ((9,), 8, (6,))],
)
def test_the_longer_text_is_cut_first(lengths: tuple[int, ...], context: int, kept: tuple[int, ...]) -> None:
    model, tokenizer, _ = fixture("bert-tied-bias")
    vocabulary = Vocabulary.of(tokenizer)
    # One token a word; a pair has three special tokens, a text has two.
    texts = [" ".join(["the", "a"][n] for _ in range(length)) for n, length in enumerate(lengths)]
    tokens = [vocabulary.encode([word])[0][0] for word in ("the", "a")]
    found = text_sequences(vocabulary, [texts], frame_of(model, vocabulary), context)
    [sequence] = found.sequences
    assert tuple(int((sequence.ids == token).sum()) for token in tokens[: len(kept)]) == kept
    assert found.cut == 1


def test_a_text_without_a_token_is_read_at_its_special_tokens() -> None:
    model, tokenizer, _ = fixture("bert-tied-bias")
    vocabulary = Vocabulary.of(tokenizer)
    found = text_sequences(vocabulary, [("\u200d",), ("ꙮ",)], frame_of(model, vocabulary), 10)
    assert found.sequences[0].positions.tolist() == [0, 1]
    # The letter has two bytes under an unknown token, the joiner is no visible character; five bytes in all.
    assert found.unknown_share == pytest.approx(len("ꙮ".encode()) / len("\u200dꙮ".encode()))


def test_the_second_text_has_berts_second_segment() -> None:
    model, _, _ = fixture("bert-tied-bias")
    batch = padded(model, [np.arange(5), np.arange(3)], [3, 3])
    assert batch.segments.tolist() == [[0, 0, 0, 1, 1], [0, 0, 0, 0, 0]]
    assert batch.mask.tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]
    assert Frame(np.array([1]), np.array([2]), np.array([2, 3])).length == 3
