"""Segmentations for people: words, parts of characters, unknown tokens and what no token covers."""

from __future__ import annotations

from lexigraft.core.tokenization.measures.segmentation import Piece, segmented
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.sample_text import SAMPLE
from lexigraft.testing.tiny_tokenizers import tiny_tokenizer


def test_bytes_of_a_character_are_shown_in_hexadecimal() -> None:
    cut = next(segmented(Vocabulary.of(tiny_tokenizer("byte_bpe")), ["a 😀"]))
    # U+1F600 is F0 9F 98 80, and the sample text has none of its bytes beside one another.
    spelled = "".join(text for text, kind in cut if kind == "byte").replace(" ", "")
    assert spelled.removeprefix("20") == "F09F9880"
    assert cut[0] == Piece("a", "text")


def test_unknown_tokens_and_the_space_between_words() -> None:
    cut = next(segmented(Vocabulary.of(tiny_tokenizer("wordpiece")), ["the 😀"]))
    assert cut[-2:] == [Piece(" ", "between"), Piece("😀", "unknown")]


def test_the_parts_make_up_the_line() -> None:
    lines = [line for text in SAMPLE.values() for line in text.splitlines()]
    for family in ("byte_bpe", "wordpiece"):
        for line, cut in zip(lines, segmented(Vocabulary.of(tiny_tokenizer(family)), lines), strict=True):
            if all(kind != "byte" for _, kind in cut):
                assert "".join(text for text, _ in cut) == line
