"""Scripts of tokens: Unicode's own table, not the first word of a character's name."""

from __future__ import annotations

import pytest

from lexigraft.core.tokenization.unicode_script import script, script_of
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.tiny_models import fixture


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ñan", "Latin"),
        ("Ａ１", "Latin"),  # FULLWIDTH LATIN CAPITAL LETTER A
        ("ｶﾅ", "Katakana"),  # HALFWIDTH KATAKANA LETTER KA
        ("カー", "Katakana"),
        ("ーカ", "Katakana"),  # KATAKANA-HIRAGANA PROLONGED SOUND MARK is Common
        ("ーあ", "Hiragana"),
        ("ー", ""),
        ("µ", ""),  # MICRO SIGN is Common
        ("µм", "Cyrillic"),
        ("μ", "Greek"),
        ("ʰ", "Latin"),  # MODIFIER LETTER SMALL H
        ("ʼn", "Latin"),  # MODIFIER LETTER APOSTROPHE is Common
        ("ʼ", ""),
        ("\u0301", ""),  # COMBINING ACUTE ACCENT is Inherited
        ("\u0301д", "Cyrillic"),
        ("\u093f", "Devanagari"),  # a vowel sign is no letter, but has a script
        ("中文", "Han"),
        ("12, 3!", ""),
        ("3кг", "Cyrillic"),
        ("🙂", ""),
        ("\ue000", ""),  # private use: Unknown
        ("", ""),
    ],
)
def test_a_text_has_the_script_of_its_first_character_with_one(text: str, expected: str) -> None:
    assert script_of(text) == expected


def test_a_token_has_the_script_of_its_text() -> None:
    vocabulary = Vocabulary.of(fixture("llama-bf16")[1])
    (letter,) = [i for i, text in enumerate(vocabulary.surfaces.texts) if text == b"a" and not vocabulary.starts[i]][:1]
    assert script(vocabulary, letter) == "Latin"
