"""Token spans are exact to the byte for every family, and words are runs of tokens."""

from __future__ import annotations

import pytest

from lexigraft.core.tokenization.offsets import token_spans, word_units
from lexigraft.core.tokenization.surface import Kind
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.sample_text import SOURCE_TEXT, TARGET_TEXT
from lexigraft.testing.tiny_tokenizers import tiny_tokenizer

LINES = [*TARGET_TEXT.splitlines(), *SOURCE_TEXT.splitlines(), "é水é😀x don't", "水边 ñawi, yvy 12", ""]
FAMILIES = ("byte_bpe", "unigram", "unigram_byte_fallback", "bpe_byte_fallback", "wordpiece")


@pytest.mark.parametrize("family", FAMILIES)
def test_every_token_spells_the_bytes_it_stands_for(family: str) -> None:
    vocabulary = Vocabulary.of(tiny_tokenizer(family, "target"))
    seen = vocabulary.surfaces
    checked = 0
    for line, spans in zip(LINES, token_spans(vocabulary, LINES), strict=True):
        data = line.encode()
        for i, start, end in zip(*(side.tolist() for side in spans), strict=True):
            if i not in vocabulary.special_ids:
                assert data[start:end].removeprefix(b" ") == seen.texts[i]
                checked += 1
        assert (spans.starts[1:] >= spans.ends[:-1]).all()
    assert checked > 1000


def test_fragments_of_a_character_share_it_out() -> None:
    vocabulary = Vocabulary.of(tiny_tokenizer("bpe_byte_fallback", "target"))
    (spans,) = token_spans(vocabulary, ["a😀b"])
    fragments = [n for n, i in enumerate(spans.ids.tolist()) if vocabulary.surfaces.kinds[i] == Kind.BYTE]
    assert [(int(spans.starts[n]), int(spans.ends[n])) for n in fragments[:4]] == [(1, 2), (2, 3), (3, 4), (4, 5)]


@pytest.mark.parametrize("family", FAMILIES)
def test_letters_stay_together_and_all_else_stands_by_itself(family: str) -> None:
    vocabulary = Vocabulary.of(tiny_tokenizer(family, "target"))
    (units,) = word_units(vocabulary, ["Mayu ñawi, wasikunapi (12) mayu."])
    assert units.texts == ["Mayu", "ñawi", ",", "wasikunapi", "(", "1", "2", ")", "mayu", "."]
    (spans,) = token_spans(vocabulary, ["Mayu ñawi, wasikunapi (12) mayu."])
    assert [i for word in units.tokens for i in word] == spans.ids.tolist()


def test_scripts_without_spaces_keep_their_tokens_apart() -> None:
    vocabulary = Vocabulary.of(tiny_tokenizer("byte_bpe", "target"))
    (units,) = word_units(vocabulary, ["水边ñawi"])
    assert units.texts == ["水", "边", "ñawi"]
    assert len(units.tokens[1]) == 3


def test_unknown_tokens_are_in_no_word() -> None:
    vocabulary = Vocabulary.of(tiny_tokenizer("wordpiece", "target"))
    (units,) = word_units(vocabulary, ["mayu 😀 wasi"])
    assert units.texts == ["mayu", "wasi"]
    assert next(word_units(vocabulary, [""])) == ([], [])
