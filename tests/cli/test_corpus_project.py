"""`lexigraft corpus project` as a user calls it."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest

from fixtures.commands import Outcome, lexigraft

WORDS = {"Maria": "Mariya", "lives": "tiyan", "Lima": "Lima", "Cusco": "Qusqu", "river": "mayu"}
TAGGED = "Maria\tB-PER\nlives\tO\nCusco\tI-LOC\n\nriver\tO\nLima\tB-LOC\n\nMaria\tB-PER\nriver\tO\n"
TARGET = "Mariya tiyan Qusqu.\nmayu Lima\nmayu\n"


def project(folder: Path, *options: object, tagged: str = TAGGED, target: str = TARGET) -> Outcome:
    (folder / "s.tsv").write_text(tagged)
    (folder / "t.txt").write_text(target)
    files = ["--source", folder / "s.tsv", "--target", folder / "t.txt", "--out", folder / "o.tsv"]
    return lexigraft("corpus", "project", *files, *options)


@pytest.fixture
def parallel(tmp_path: Path) -> list[object]:
    """Text that says which word is which: each alone, and three in every order."""
    lines = [(word,) for word in WORDS] + list(permutations(WORDS, 3))
    (tmp_path / "p.en").write_text("".join(f"{' '.join(line)}\n" for line in lines))
    (tmp_path / "p.qu").write_text("".join(f"{' '.join(WORDS[w] for w in line)}\n" for line in lines))
    return ["--parallel", tmp_path / "p.en", tmp_path / "p.qu"]


def test_entities_follow_their_words_and_a_lost_one_is_counted(tmp_path: Path, parallel: list[object]) -> None:
    done = project(tmp_path, *parallel, "--json")
    assert done.code == 0, done
    first = "Mariya\tB-PER\ntiyan\tO\nQusqu\tB-LOC\n.\tO\n\nmayu\tO\nLima\tB-LOC\n"
    assert (tmp_path / "o.tsv").read_text() == f"{first}\nmayu\tO\n"
    assert done.json == {
        "out": str(tmp_path / "o.tsv"), "sentences": 3, "written": 3, "entities": 4, "projected": 3, "without_links": 1,
        "overlapping": 0, "split": 0, "filled_words": 0, "repaired_labels": 1,
    }  # fmt: skip
    again = project(tmp_path, *parallel)
    assert (again.code, "output file exists" in again.err) == (2, True)
    fewer = project(tmp_path, *parallel, "--force", "--drop-incomplete")
    assert "written          2" in fewer.out
    assert (tmp_path / "o.tsv").read_text() == first


@pytest.mark.parametrize(
    ("tagged", "target", "said"),
    [
        (TAGGED, "a\nb\n", "differ in number: 3 sentences"),
        ("Maria\tNOUN\n", "Mariya\n", "label is no BIO label"),
        ("Maria\n", "Mariya\n", "line is no word with a label"),
        ("Maria\tB-PER\n", "\n", "no sentence is left"),
    ],
)
def test_bad_input_is_one_error(tmp_path: Path, tagged: str, target: str, said: str) -> None:
    done = project(tmp_path, tagged=tagged, target=target)
    assert done.code == 2
    assert said in done.err
    assert not (tmp_path / "o.tsv").exists()
