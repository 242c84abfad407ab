"""The compass: one space for the tokens of two vocabularies, because the same context words measure both."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from fixtures.small_worlds import words
from lexigraft.core.data.corpus import Corpus
from lexigraft.core.errors import LexigraftError
from lexigraft.core.methods.compass import CompassSettings, association, build_compass, fit_basis, project
from lexigraft.core.methods.compass_cache import cached_compass
from lexigraft.core.methods.cooccurrence import ContextWords
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.sample_text import TARGET_TEXT
from lexigraft.testing.tiny_tokenizers import tiny_tokenizer

TEXT = ["the sun shines red", "the moon shines pale", "a red sun", "a pale moon", "red sun and pale moon"] * 20
VOCABULARY = ("the", "sun", "moon", "shines", "red", "pale", "a", "and")


def test_a_word_that_both_vocabularies_hold_whole_has_one_vector_whatever_its_id() -> None:
    source, target = words(*VOCABULARY), words(*reversed(VOCABULARY), "nowhere")
    found = build_compass(TEXT, source, target)
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
    found = build_compass(TEXT, source, target)
    whole = found.source.vectors[source.id_of("moon")]
    for piece in ("mo", "##on"):
        torch.testing.assert_close(found.target.vectors[target.id_of(piece)], whole)
    near = torch.nn.functional.cosine_similarity(found.source.vectors, whole[None])
    assert int(np.argmax(near.numpy())) == source.id_of("moon")


def test_rare_tokens_are_absent_and_too_little_text_is_refused() -> None:
    vocabulary = words(*VOCABULARY)
    found = build_compass([*TEXT, "the and"], vocabulary, vocabulary, CompassSettings(min_count=30))
    assert not found.source.present[vocabulary.id_of("and")]
    assert found.source.present[vocabulary.id_of("sun")]
    with pytest.raises(LexigraftError, match="too little text"):
        build_compass(["sun"], vocabulary, vocabulary)


def test_counts_of_a_line_by_hand() -> None:
    # Contexts a, b, c by frequency, then by the alphabet; window 2, so that neighbours weigh 1 and the next ones 1/2.
    text = ContextWords.of(["a b c a", "A, x"], 3, 2)
    assert text.words == ("a", "b", "c")
    wanted = [[0, 1 + 0.5, 0.5 + 1], [1.5, 0, 1], [1.5, 1, 0]]
    np.testing.assert_allclose(text.beside_words(False).toarray(), wanted)
    np.testing.assert_allclose(text.beside_words(True).toarray(), wanted + np.diag([3, 1, 1]))
    vocabulary = words("a", "b", "##b", "x")
    found = text.beside(vocabulary, True).toarray()
    assert found[vocabulary.id_of("b")].tolist() == [1.5, 1, 1]
    # x sees the "A," before it, but not the line above.
    assert found[vocabulary.id_of("x")].tolist() == [1, 0, 0]


@pytest.mark.parametrize("family", ["byte_bpe", "unigram", "bpe_byte_fallback", "wordpiece"])
def test_every_token_is_counted_at_its_own_word(family: str) -> None:
    vocabulary = Vocabulary.of(tiny_tokenizer(family, "target"))
    line = "ñan 水边, mayu"
    text = ContextWords.of([line], 10, 1)
    counts = text.beside(vocabulary, True).toarray() - text.beside(vocabulary, False).toarray()
    for n, word in enumerate(line.split()):
        # Byte-level BPE reads the space before a word as a part of it; the others mark every word's start themselves.
        alone = f" {word}" if n and family == "byte_bpe" else word
        wanted = np.bincount(vocabulary.encode([alone])[0], minlength=vocabulary.size)
        np.testing.assert_array_equal(counts[:, text.words.index(word.strip(","))], wanted)


def test_folding_in_is_where_the_slope_is_zero() -> None:
    vocabulary = Vocabulary.of(tiny_tokenizer("unigram", "target"))
    text = ContextWords.of(TARGET_TEXT.splitlines(), 80, 2)
    basis = fit_basis(text.beside_words(False), 10, 0.75)
    contexts = basis.contexts
    np.testing.assert_allclose(contexts.T @ contexts, np.eye(10), atol=1e-5)
    counts = text.beside(vocabulary, True)
    vectors = project(counts, basis, 1.0)
    left = vectors @ contexts.T - association(counts, basis.shares)
    np.testing.assert_allclose(left @ contexts, 0, atol=1e-4)
    # The contexts' own rows come out as the decomposition has them: U S^power, so their squares sum to S^(2 power).
    own = project(text.beside_words(False), basis, 0.5)
    np.testing.assert_allclose((own**2).sum(axis=0), basis.strengths, rtol=1e-4)


def test_mutual_information_of_two_words_by_hand() -> None:
    text = ContextWords.of(["a b", "a b", "c d"], 4, 1)
    counts = text.beside_words(False)
    shares = np.full(4, 0.25)
    # a stands beside b alone, in all its 2 counts: log(2 / (2 * 1/4)) = log 4; and so with the others.
    wanted = np.log(4) * np.array([[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]])
    np.testing.assert_allclose(association(counts, shares).toarray(), wanted, rtol=1e-6)


def test_a_compass_is_kept_by_content_and_made_again_where_it_is_damaged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source, target = words(*VOCABULARY), words(*reversed(VOCABULARY))
    corpus = Corpus.of(TEXT)
    first = cached_compass(corpus, source, target, tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:100])
    again = cached_compass(corpus, source, target, tmp_path)
    assert "damaged" in caplog.text
    # What lies in the file is what is read: here it is twice what was learned.
    with np.load(file) as held:
        doubled = {name: held[name] * (2 if name.endswith("vectors") else 1) for name in held}
    np.savez(file, **doubled)
    read = cached_compass(corpus, source, target, tmp_path)
    for found, times in ((again, 1), (read, 2)):
        for side in ("source", "target"):
            assert torch.equal(getattr(found, side).vectors, times * getattr(first, side).vectors)
            assert getattr(found, side).present.tolist() == getattr(first, side).present.tolist()
            assert getattr(found, side).origin == getattr(first, side).origin


def test_a_compass_of_other_settings_is_another(tmp_path: Path) -> None:
    vocabulary = words(*VOCABULARY)
    cached_compass(Corpus.of(TEXT), vocabulary, vocabulary, tmp_path)
    cached_compass(Corpus.of(TEXT), vocabulary, vocabulary, tmp_path, CompassSettings(window=1))
    assert len(list(tmp_path.iterdir())) == 2


def test_mutual_information_leaves_its_counts_alone() -> None:
    counts = ContextWords.of(TEXT, 8, 2).beside_words(True)
    before = counts.toarray()
    association(counts, np.full(8, 1.0))
    np.testing.assert_array_equal(counts.toarray(), before)


def test_a_context_that_stands_beside_no_other_says_nothing() -> None:
    # Four contexts, the most frequent words; "lone" only ever stands beside "rare", which is not one of them.
    text = [*["the red sun"] * 30, *["lone rare"] * 20]
    vocabulary = words("the", "red", "sun", "lone", "rare")
    found = build_compass(text, vocabulary, vocabulary, CompassSettings(contexts=4))
    assert bool(found.source.vectors.isfinite().all())
    assert found.source.present[vocabulary.id_of("sun")]
    assert not found.source.present[vocabulary.id_of("rare")]
