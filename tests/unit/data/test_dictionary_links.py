"""Words of a dictionary are found in text: longest first, whole, in any case, in scripts without spaces too."""

from __future__ import annotations

import pytest

from lexigraft.core.data.annotated_text import Anchor
from lexigraft.core.data.dictionary import Dictionary
from lexigraft.core.data.dictionary_links import DictionaryLinker

PAIRS = [("wasi", "house"), ("hatun wasi", "palace"), ("Lima", "Lima"), ("p'unchaw", "day"), ("ñan", "road"),
         ("柏林", "Berlin"), ("柏", "cypress"), ("Straße", "street"), ("San-José", "San José")]  # fmt: skip


def found(text: str, match_case: bool = False, pairs: list[tuple[str, str]] = PAIRS) -> list[tuple[str, str]]:
    [document] = DictionaryLinker(Dictionary.of(pairs), "en", match_case).link([text])
    assert document.text == text
    return [(text[a.start : a.end], a.surface["en"]) for a in document.anchors]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hatun  wasi, wasi; wasikuna", [("Hatun  wasi", "palace"), ("wasi", "house")]),
        ("hatun, wasi", [("wasi", "house")]),
        ("LIMA lima Limapi", [("LIMA", "Lima"), ("lima", "Lima")]),
        ("P'unchaw 'wasi' p'unchawkuna", [("P'unchaw", "day"), ("wasi", "house")]),
        ("n\u0303an", [("n\u0303an", "road")]),  # the text is in NFD, the dictionary in NFC
        ("他在柏林。柏", [("柏林", "Berlin"), ("柏", "cypress")]),
        ("STRASSE", [("STRASSE", "street")]),
        ("San José, San-José", [("San-José", "San José")]),
        ("𝄞 wasi", [("wasi", "house")]),
        ("", []),
    ],
)
def test_words_and_phrases_are_found(text: str, expected: list[tuple[str, str]]) -> None:
    assert found(text) == expected


def test_capitals_matter_where_asked_for() -> None:
    assert found("LIMA lima Lima", match_case=True) == [("Lima", "Lima")]


def test_of_several_translations_the_most_frequent_is_taken_else_the_first() -> None:
    pairs = [("wasi", "home"), ("wasi", "house")]
    assert found("wasi", pairs=pairs) == [("wasi", "home")]
    [document] = DictionaryLinker(Dictionary.of(pairs, [1, 5]), "en").link(["wasi"])
    assert document.anchors == (Anchor(0, 4, "wasi", None, {"en": "house"}),)
