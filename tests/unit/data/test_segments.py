"""Sentences end at punctuation with space, at full-width punctuation, and at lines."""

from __future__ import annotations

import pytest

from lexigraft.core.data.segments.sentences import Sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", [""]),
        ("One", ["One"]),
        ("One. Two! «Three?» Four", ["One. ", "Two! ", "«Three?» ", "Four"]),
        ("3.5 km. ", ["3.5 km. "]),
        ("一。二!三", ["一。", "二!三"]),
        ("「一。」二", ["「一。」", "二"]),
        ("वह गया। वह आया।", ["वह गया। ", "वह आया।"]),
        ("a\n\nb", ["a\n\n", "b"]),
        ("هل هذا؟ نعم۔ لا", ["هل هذا؟ ", "نعم۔ ", "لا"]),
    ],
)
def test_where_sentences_end(text: str, sentences: list[str]) -> None:
    found = Sentences(text)
    assert len(found) == len(sentences)
    assert list(found) == [sentence.strip() for sentence in sentences if sentence]
    wanted = [number for number, sentence in enumerate(sentences) for _ in sentence]
    assert [found.at(position) for position in range(len(text))] == wanted
