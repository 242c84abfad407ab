"""Single tokens split into other tokens."""

from __future__ import annotations

import pytest
import torch

from fixtures.small_worlds import words
from fixtures.vocabularies import tiny_vocabulary
from lexigraft.core.methods.split_tokens import SplitToken, split_tokens
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.tiny_tokenizers import Family


def drawn(vocabulary: Vocabulary, seed: int = 0, **fields: int) -> list[SplitToken]:
    given = {"shortest": 2, "most_pieces": 3, "limit": 1000, **fields}
    return split_tokens(vocabulary, generator=torch.Generator().manual_seed(seed), **given)


def test_a_word_is_cut_where_both_parts_are_tokens() -> None:
    # "sunup" is sun ##up alone; the inner "##up" is ##u ##p; "moon" has no two parts, and "s1" is not all letters.
    vocabulary = words("sunup", "sun", "##up", "##u", "##p", "moon", "##on", "s1", "s")
    found = drawn(vocabulary, most_pieces=2)
    names = {vocabulary.tokens[w.token]: [vocabulary.tokens[i] for i in w.pieces] for w in found}
    assert names == {"sunup": ["sun", "##up"], "##up": ["##u", "##p"]}
    cuts = {word.pieces for seed in range(9) for word in drawn(vocabulary, seed, shortest=5)}
    assert {" ".join(vocabulary.tokens[i] for i in cut) for cut in cuts} == {"sun ##up", "sun ##u ##p"}
    assert len(drawn(vocabulary, limit=1)) == 1
    assert drawn(vocabulary, shortest=6) == []


@pytest.mark.parametrize("family", ["byte_bpe", "unigram", "bpe_byte_fallback", "wordpiece"])
def test_pieces_spell_the_word_and_start_where_it_does(family: Family) -> None:
    vocabulary = tiny_vocabulary(family)
    texts, starts = vocabulary.surfaces.texts, vocabulary.starts
    found = drawn(vocabulary)
    assert len(found) > 20
    assert {len(word.pieces) for word in found} == {2, 3}
    for token, pieces in found:
        assert b"".join(texts[i] for i in pieces) == texts[token]
        assert [starts[i] for i in pieces] == [starts[token], *[False] * (len(pieces) - 1)]


def test_the_seed_decides() -> None:
    vocabulary = tiny_vocabulary("wordpiece")
    assert drawn(vocabulary) == drawn(vocabulary)
    assert drawn(vocabulary, 1) != drawn(vocabulary)
