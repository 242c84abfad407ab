"""Filters of text lines, by hand."""

from __future__ import annotations

import sys

import pytest

from lexigraft.core.data.cleaning.cleaning import Cleaning
from lexigraft.core.data.cleaning.line_filters import EvaluationText, ExactDuplicates, MaxLength, MinLength
from lexigraft.core.data.cleaning.near_duplicates import NearDuplicates, shingles
from lexigraft.core.data.cleaning.scripts import OtherScript, require_codes
from lexigraft.core.errors import LexigraftError

SIXTEEN = "a b c d e f g h i j k l m n o p"


def test_a_line_counts_for_the_first_reason_and_the_others_keep_their_order() -> None:
    lines = ["  wasi ", "", "ñan", "rumi", "wasi", "ab", "ab", "Дом", "waskakuna", "mayu", "\t"]
    made = Cleaning([MinLength(3), MaxLength(8), OtherScript(require_codes(["Latn"])), ExactDuplicates()], examples=1)
    assert [line for batch in made.stream(lines) for line in batch] == ["wasi", "ñan", "rumi", "mayu"]
    # "ab" is short both times, so it is no repetition; ñ has two bytes: 4 + 4 + 4 + 4.
    assert (made.lines, made.kept, made.bytes) == (11, 4, 16)
    assert made.dropped == {"empty": 2, "too_short": 2, "too_long": 1, "other_script": 1, "duplicate": 1}
    assert made.examples == {
        "too_short": ["ab"], "too_long": ["waskakuna"], "other_script": ["Дом"], "duplicate": ["wasi"],
    }  # fmt: skip


def test_the_result_does_not_depend_on_the_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"line {n % 7}" for n in range(40)]
    wanted = [f"line {n}" for n in range(7)]
    for size in (1, 3, 1000):
        monkeypatch.setattr("lexigraft.core.data.cleaning.cleaning.BATCH_LINES", size)
        made = Cleaning([ExactDuplicates()])
        assert [line for batch in made.stream(lines) for line in batch] == wanted
        assert made.dropped["duplicate"] == 33


def test_lines_with_evaluation_text_are_dropped_and_counted_by_set() -> None:
    sets = {"heldout": [SIXTEEN, "one two three"], "task pos": ["uno dos tres cuatro cinco seis", SIXTEEN]}
    guard = EvaluationText(sets)
    thirteen = " ".join(SIXTEEN.split()[2:15])
    lines = [
        f"x {thirteen} y",  # 13 words in a row of the first set
        " ".join(SIXTEEN.split()[2:14]),  # 12 are not enough
        "One, two, three",  # too short to be looked for inside a line
        "one two three",  # the same line
        "¡Uno dos tres CUATRO cinco seis! y más",  # a line of 6 words is looked for as a whole
        "dos tres cuatro cinco seis",
    ]
    assert list(guard.drops(lines)) == [True, False, False, True, True, False]
    assert guard.found == {"heldout": 2, "task pos": 1}
    assert list(guard.drops([f"{thirteen}", "z"])) == [True, False], "places do not go on from the lines before"


def test_a_line_is_in_a_script_by_the_share_of_its_letters() -> None:
    # "wasi Дом 12": four Latin letters of seven.
    half = OtherScript(require_codes(["Latn"]))
    assert list(half.drops(["wasi", "wasi Дом 12", "Дом wa", "12 - 3", "e\u0301"])) == [False, False, True, True, False]
    assert list(OtherScript(require_codes(["Latn"]), share=0.6).drops(["wasi Дом 12"])) == [True]
    assert list(OtherScript(require_codes(["Hira", "Kana", "Hani"])).drops(["東京タワーは高い"])) == [False]
    with pytest.raises(LexigraftError, match="unknown script: latn"):
        require_codes(["latn"])


def test_shingles_are_five_characters_without_case_and_repeated_spaces() -> None:
    assert shingles("Wasi  QA") == {"wasi ", "asi q", "si qa"}
    assert shingles("ab") == {"ab"}


def test_near_duplicates_by_their_jaccard_similarity() -> None:
    pytest.importorskip("datasketch")
    # abcdefghij has 6 shingles. With k there are 7, of which 6 are common: 6/7 = 0.86. With kl 8: 6/8 = 0.75, and the
    # line in between, with which it would have 7/8, was dropped.
    lines = ["abcdefghij", "Abcdefghijk", "abcdefghijkl", "something else", "abcdefghij "]
    assert list(NearDuplicates(0.8).drops(lines)) == [False, True, False, False, True]
    assert list(NearDuplicates(0.7).drops(lines)) == [False, True, True, False, True]


def test_without_the_package_near_duplicates_are_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasketch", None)
    with pytest.raises(LexigraftError, match="datasketch"):
        NearDuplicates()
