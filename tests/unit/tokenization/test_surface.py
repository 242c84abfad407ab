"""Surfaces: tokens of every family as bytes, word starts and kinds."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexigraft.core.tokenization.surface import Family, Kind, byte_level_alphabet, surfaces, to_byte_level
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.tiny_tokenizers import Family as FixtureFamily
from lexigraft.testing.tiny_tokenizers import tiny_tokenizer

FAMILIES = {
    "byte_bpe": Family.BYTE_LEVEL,
    "unigram": Family.SENTENCEPIECE,
    "unigram_byte_fallback": Family.SENTENCEPIECE,
    "bpe_byte_fallback": Family.SENTENCEPIECE,
    "wordpiece": Family.WORDPIECE,
    "unigram_sentinels": Family.SENTENCEPIECE,
}


def read(token: str, family: Family, special: bool = False, added: bool = False, isolates: bool = False):
    found = surfaces(
        [token],
        family,
        special_ids=frozenset({0} if special else ()),
        added_ids=frozenset({0} if added else ()),
        isolates=isolates,
    )
    return found.texts[0], bool(found.starts[0]), Kind(found.kinds[0])


@pytest.mark.parametrize("name", get_args(FixtureFamily))
def test_the_family_is_read_off_the_tokenizers_parts(name: FixtureFamily) -> None:
    assert Vocabulary.of(tiny_tokenizer(name)).family is FAMILIES[name]


@pytest.mark.parametrize(
    ("token", "family", "expected"),
    [
        ("Ġhouse", Family.BYTE_LEVEL, (b"house", True, Kind.TEXT)),
        ("house", Family.BYTE_LEVEL, (b"house", False, Kind.TEXT)),
        ("Ã±", Family.BYTE_LEVEL, ("ñ".encode(), False, Kind.TEXT)),
        ("Ã", Family.BYTE_LEVEL, (b"\xc3", False, Kind.TEXT)),
        ("▁house", Family.SENTENCEPIECE, (b"house", True, Kind.TEXT)),
        ("▁", Family.SENTENCEPIECE, (b"", True, Kind.TEXT)),
        ("▁▁", Family.SENTENCEPIECE, (b" ", True, Kind.TEXT)),
        ("<0xC3>", Family.SENTENCEPIECE, (b"\xc3", False, Kind.BYTE)),
        ("<0xC3>", Family.BYTE_LEVEL, (b"<0xC3>", False, Kind.TEXT)),
        ("house", Family.WORDPIECE, (b"house", True, Kind.TEXT)),
        ("##s", Family.WORDPIECE, (b"s", False, Kind.TEXT)),
        ("##", Family.WORDPIECE, (b"##", True, Kind.TEXT)),
        ("[unused17]", Family.WORDPIECE, (b"[unused17]", True, Kind.UNUSABLE)),
        ("", Family.SENTENCEPIECE, (b"", False, Kind.UNUSABLE)),
        ("", Family.WORDPIECE, (b"", False, Kind.UNUSABLE)),
    ],
)
def test_a_token_is_read_as_its_family_writes_it(token: str, family: Family, expected: object) -> None:
    assert read(token, family) == expected


def test_special_and_added_tokens_are_plain_text_in_every_family() -> None:
    for family in Family:
        assert read("<s>", family, special=True) == (b"<s>", False, Kind.SPECIAL)
        assert read(" ñan", family, added=True) == ("ñan".encode(), True, Kind.TEXT)


def test_the_space_mark_of_an_added_token_is_a_space_where_the_tokenizer_writes_spaces_so() -> None:
    assert read("▁▁▁▁", Family.SENTENCEPIECE, added=True) == (b"   ", True, Kind.TEXT)
    assert read("▁ñan▁a", Family.SENTENCEPIECE, added=True) == ("ñan a".encode(), True, Kind.TEXT)
    assert read("a▁", Family.SENTENCEPIECE, added=True) == (b"a ", False, Kind.TEXT)
    assert read("▁▁", Family.BYTE_LEVEL, added=True) == ("▁▁".encode(), False, Kind.TEXT)


def test_tokens_that_the_pre_tokenizer_always_splits_are_isolated_or_unusable() -> None:
    assert read("##,", Family.WORDPIECE, isolates=True)[2] is Kind.UNUSABLE
    assert read("##,", Family.WORDPIECE)[2] is Kind.TEXT
    found = surfaces(
        [",", "水", "##水", "a"], Family.WORDPIECE, special_ids=frozenset(), added_ids=frozenset(), isolates=True
    )
    assert found.isolated.tolist() == [True, True, False, False]
    assert found.kinds.tolist() == [Kind.TEXT, Kind.TEXT, Kind.UNUSABLE, Kind.TEXT]


def test_the_byte_alphabet_has_one_printable_character_for_each_byte() -> None:
    alphabet = byte_level_alphabet()
    assert sorted(alphabet.values()) == list(range(256))
    assert all(c.isprintable() and not c.isspace() for c in alphabet)


@given(st.binary(min_size=1, max_size=20))
def test_bytes_survive_the_way_into_the_byte_alphabet_and_back(data: bytes) -> None:
    text, starts, kind = read(to_byte_level(data), Family.BYTE_LEVEL)
    assert (b" " if starts else b"") + text == data
    assert kind is (Kind.TEXT if text or starts else Kind.UNUSABLE)


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(lambda t: "▁" not in t and " " not in t))
def test_sentencepiece_text_is_its_utf8_bytes(text: str) -> None:
    if not text.startswith("<0x"):
        assert read("▁" + text, Family.SENTENCEPIECE) == (text.encode(), True, Kind.TEXT)
        assert read(text, Family.SENTENCEPIECE) == (text.encode(), False, Kind.TEXT)
