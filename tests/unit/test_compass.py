"""The compass: one space for the tokens of two vocabularies, because the same context words measure both."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fixtures.small_worlds import words
from lexigraft.core.compass import steer
from lexigraft.core.errors import LexigraftError

TEXT = ["the sun shines red", "the moon shines pale", "a red sun", "a pale moon", "red sun and pale moon"] * 20
VOCABULARY = ("the", "sun", "moon", "shines", "red", "pale", "a", "and")


def test_a_word_that_both_vocabularies_hold_whole_has_one_vector_whatever_its_id() -> None:
    source, target = words(*VOCABULARY), words(*reversed(VOCABULARY), "nowhere")
    found = steer(TEXT, source, target)
    for word in VOCABULARY:
        i, j = source.id_of(word), target.id_of(word)
        assert i is not None
        assert j is not None
        torch.testing.assert_close(found.source.vectors[i], found.target.vectors[j])
        assert float(found.source.vectors[i].norm()) > 0
    assert not found.target.present[target.id_of("nowhere")]


def test_pieces_of_a_word_stand_where_the_word_stands() -> None:
    # Only the target cuts "moon" in two; both halves see exactly the contexts of the whole word.
    source, target = words(*VOCABULARY), words("the", "sun", "mo", "##on", "shines", "red", "pale", "a", "and")
    found = steer(TEXT, source, target)
    whole = found.source.vectors[source.id_of("moon")]
    for piece in ("mo", "##on"):
        torch.testing.assert_close(found.target.vectors[target.id_of(piece)], whole)
    near = torch.nn.functional.cosine_similarity(found.source.vectors, whole[None])
    assert int(np.argmax(near.numpy())) == source.id_of("moon")


def test_rare_tokens_are_absent_and_too_little_text_is_refused() -> None:
    vocabulary = words(*VOCABULARY)
    found = steer([*TEXT, "the and"], vocabulary, vocabulary, min_count=30)
    assert not found.source.present[vocabulary.id_of("and")]
    assert found.source.present[vocabulary.id_of("sun")]
    with pytest.raises(LexigraftError, match="too little text"):
        steer(["sun"], vocabulary, vocabulary)


def test_a_context_that_stands_beside_no_other_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    # Four contexts, the most frequent words; "lone" only ever stands beside "rare", which is not one of them.
    monkeypatch.setattr("lexigraft.core.compass.CONTEXTS", 4)
    text = [*["the red sun"] * 30, *["lone rare"] * 20]
    vocabulary = words("the", "red", "sun", "lone", "rare")
    found = steer(text, vocabulary, vocabulary)
    assert bool(found.source.vectors.isfinite().all())
    assert found.source.present[vocabulary.id_of("sun")]
    assert not found.source.present[vocabulary.id_of("rare")]
