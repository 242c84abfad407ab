"""Overlap of two texts by hand: by words, and under tokenizers with unknown tokens and byte fallback."""

from __future__ import annotations

import pytest

from fixtures.vocabularies import tiny_vocabulary, unigram_vocabulary
from lexigraft.core.transfer.token_overlap import token_overlap


def test_words_by_hand() -> None:
    found = token_overlap(["a b c a", "b d"], ["a a a x", "y b"])
    # The target has a (3 times), x, y, b: a and b are the donor's, which is 2 of 4 types and 4 of 6 words.
    assert (found.shared_types, found.by_types, found.by_mass) == (2, 0.5, 4 / 6)
    assert (found.donor.words, found.donor.word_types, found.donor.lines, found.donor.bytes) == (6, 4, 2, 10)
    assert (found.target.tokens, found.target.token_types, found.target.type_token_ratio) == (6, 4, 4 / 6)
    assert (found.donor.unknown_share, found.donor.fragment_share) == (None, None)


def test_the_overlap_is_of_the_targets_types() -> None:
    one, two = ["a b c d"], ["a"]
    assert token_overlap(one, two).by_types == 1
    assert token_overlap(two, one).by_types == 1 / 4


def test_type_token_ratios_are_compared_at_equal_length() -> None:
    found = token_overlap(["a b c d e e e e e e"], ["a b a b"])
    assert found.donor.type_token_ratio == 0.5
    assert found.compared_words == 4
    assert (found.donor_type_token_ratio, found.target_type_token_ratio) == (1, 0.5)


def test_unknown_tokens_are_no_overlap() -> None:
    # Pieces are "▁" and "a"; "z" is unknown in both texts.
    found = token_overlap(["z"], ["a z z a"], unigram_vocabulary())
    assert found.target.tokens == 8  # a word-start mark before each word
    assert found.target.unknown_share == 2 / 8
    assert (found.shared_types, found.by_types, found.by_mass) == (1, 1 / 2, 4 / 6)  # the mark, of mark and "a"
    assert found.target.token_types == 2


def test_byte_fallback_is_counted() -> None:
    found = token_overlap(["a"], ["a é"], unigram_vocabulary(byte_pieces=True))
    assert found.target.tokens == 5  # ▁ a ▁ <0xC3> <0xA9>
    assert found.target.fragment_share == 2 / 5
    assert found.target.unknown_share == 0
    assert found.donor.fragment_share == 0


def test_fragments_of_characters_of_byte_level_tokens_are_counted() -> None:
    found = token_overlap(["mayu"], ["mayu 語"], tiny_vocabulary("byte_bpe"))
    assert found.donor.fragment_share == 0
    assert found.target.fragment_share is not None
    assert 0 < found.target.fragment_share < 1


@pytest.mark.parametrize("vocabulary", [None, unigram_vocabulary()])
def test_texts_without_words_have_no_overlap(vocabulary) -> None:
    found = token_overlap(["a"], [], vocabulary)
    assert (found.by_types, found.by_mass, found.target.type_token_ratio) == (0, 0, 0)
