"""Segmentations for people: words, parts of characters, unknown tokens and what no token covers."""

from __future__ import annotations

import json

from lexigraft.core.data.corpus import Corpus
from lexigraft.core.tokenization.measures.segmentation import Piece, segmented
from lexigraft.core.tokenization.measures.segmentation_samples import Segmentation, segmentation_samples
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


def test_samples_by_hand() -> None:
    """Two of four lines are the first and the third; of the first, "the cat sat " has 12 characters and ends a word.

    All lines have 22 + 8 + 9 + 5 = 44 bytes.
    """
    vocabularies = {name: Vocabulary.of(tiny_tokenizer(name)) for name in ("byte_bpe", "wordpiece")}
    text = Corpus.of(["the cat sat on the mat", "a 😀 b", "the house", "x y z"])
    found = Segmentation.of(vocabularies, text, lines=2, characters=12)
    assert [line.bytes for line in found.lines] == [11, 9]
    assert [piece.text for piece in found.lines[0].cuts["byte_bpe"]] == ["t", "he", " c", "at", " s", "at"]
    assert [piece.text for piece in found.lines[1].cuts["wordpiece"]] == ["the", " ", "house"]
    assert found.bytes == 44
    assert found.tokens == {name: sum(map(len, one.encode(text.lines))) for name, one in vocabularies.items()}
    assert Segmentation.from_json(json.loads(json.dumps(found.as_json()))) == found


def test_a_long_line_without_spaces_is_cut_where_it_is_too_long() -> None:
    samples = segmentation_samples({"b": Vocabulary.of(tiny_tokenizer("byte_bpe"))}, Corpus.of(["abcdef"]), 1, 4)
    assert [(line.bytes, "".join(piece.text for piece in line.cuts["b"])) for line in samples] == [(4, "abcd")]
