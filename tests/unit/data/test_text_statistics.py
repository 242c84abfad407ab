"""Figures of a text, counted by hand."""

from __future__ import annotations

from pathlib import Path

from fixtures.commands import lexigraft
from lexigraft.core.data.cleaning.text_statistics import text_statistics

LINES = ["ñan wasi", "", " wasi  Дом 1", "ñan wasi", "a"]


def test_a_text_is_counted_by_hand() -> None:
    found = text_statistics(LINES, frequent=2)
    assert (found.lines, found.empty, found.duplicates) == (4, 1, 1)
    # ñan wasi wasi Дом 1 ñan wasi a: wasi three times, ñan twice.
    assert (found.words, found.word_types, found.frequent_words) == (8, 5, (("wasi", 3), ("ñan", 2)))
    # 8 + 11 ("wasi  Дом 1" without the space in front) + 8 + 1; ñ and the three Cyrillic letters have two bytes.
    assert (found.characters, found.bytes) == (28, 28 + 2 + 3)
    assert found.scripts == {"Latn": 7 + 4 + 7 + 1, "Cyrl": 3}
    # Lengths 1 8 8 11: half of them (two) are at most 8.
    assert found.lengths == {"shortest": 1, "median": 8, "95%": 11, "99%": 11, "longest": 11}


def test_an_empty_text_has_no_lengths() -> None:
    found = text_statistics(["", " "])
    assert (found.lines, found.empty, found.lengths, found.frequent_words) == (0, 2, {}, ())


def test_the_command_shows_a_table_or_json(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_text("\n".join(LINES) + "\n", encoding="utf-8")
    shown = lexigraft("corpus", "stats", path, "--words", 1)
    assert "scripts        Latn 86.36%, Cyrl 13.64%" in shown.out
    assert "most frequent  wasi (3)" in shown.out
    assert lexigraft("corpus", "stats", path, "--json").json["frequent_words"]["ñan"] == 2
    missing = lexigraft("corpus", "stats", path, "nowhere.txt")
    assert (missing.code, "text not found: nowhere.txt" in missing.err) == (2, True)
