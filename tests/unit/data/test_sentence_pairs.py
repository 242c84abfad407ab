"""Sentence pairs: aligned files and tables, what is left out, and the refusals with their counts."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from lexigraft.core.data.sentence_pairs import evenly_chosen_items, read_pairs
from lexigraft.core.errors import LexigraftError


def written(folder: Path, name: str, text: str) -> list[str]:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return [str(path)]


def test_aligned_files_and_a_table_give_the_same_pairs(tmp_path: Path) -> None:
    source, target = (
        written(tmp_path, "a.txt", "one\ntwo\n\none\n"),
        written(tmp_path, "b.txt.gz", " uno\ndos\ntres\nuno\n"),
    )
    table = written(tmp_path, "t.tsv", "one\tuno\tCC-BY 2.0 (France) #1\ntwo\tdos\n\ttres\none\tuno\n")
    wanted = [("one", "uno"), ("two", "dos"), ("one", "uno")]
    empty = "1 pairs with an empty side left out."
    assert read_pairs(source, target) == (wanted, (empty,))
    pairs, notes = read_pairs(table)
    assert pairs == wanted
    assert notes[0] == empty
    assert notes[1].endswith("3 columns, of which the first two are read: “one” with its translation “uno”.")


def test_files_of_different_length_are_refused_with_both_counts(tmp_path: Path) -> None:
    source, target = written(tmp_path, "a.txt", "one\ntwo\nthree\n"), written(tmp_path, "b.txt", "uno\ndos\n")
    with pytest.raises(LexigraftError, match=r"different numbers of lines: .*a\.txt: 3, .*b\.txt: 2"):
        read_pairs(source, target)


def test_what_holds_no_pairs_is_refused(tmp_path: Path) -> None:
    one = written(tmp_path, "a.txt", "one\ttwo\n\nno tab\n")
    with pytest.raises(LexigraftError, match=r"no tab: .*a\.txt, line 3.*target=FILE"):
        read_pairs(one)
    empty = written(tmp_path, "b.txt", "\n\n")
    with pytest.raises(LexigraftError, match="no sentence pair"):
        read_pairs(empty, empty)
    with pytest.raises(LexigraftError, match=r"not found: .*none"):
        read_pairs([str(tmp_path / "none")])


def test_some_of_many_are_spread_over_the_data() -> None:
    pairs = [(str(n), str(n)) for n in range(10)]
    assert [int(left) for left, _ in evenly_chosen_items(pairs, 4)] == [0, 2, 5, 7]
    assert evenly_chosen_items(pairs, 10) is pairs
