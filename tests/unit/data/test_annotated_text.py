"""Annotated text survives writing and reading in every form, and broken rows are refused with their place."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lexigraft.core.data.annotated_text import Anchor, AnnotatedText, read_annotated, write_annotated
from lexigraft.core.errors import LexigraftError

# Offsets are code points: the clef counts as one, though it takes four bytes and two UTF-16 units, and the letter
# qaf with its mark counts as two.
DOCUMENTS = [
    AnnotatedText(
        "𝄞 Lima, قُ und Cusco",
        "Perú",
        (
            Anchor(2, 6, "Lima", "Q2868", {"en": "Lima", "es": "Lima"}),
            Anchor(8, 10, "ق"),
            Anchor(15, 20, "Cusco", None, {"en": "Cusco\tregion"}),
        ),
    ),
    AnnotatedText("line\none\u2028two", "no anchors"),
    AnnotatedText(""),
]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "A.PARQUET"])
def test_documents_survive_writing_and_reading(tmp_path: Path, name: str) -> None:
    assert write_annotated(tmp_path / name, iter(DOCUMENTS)) == 3
    read = list(read_annotated(tmp_path / name))
    assert read == DOCUMENTS
    first = read[0]
    assert [first.text[a.start : a.end] for a in first.anchors] == ["Lima", "قُ", "Cusco"]
    assert list(tmp_path.iterdir()) == [tmp_path / name]


def test_equal_documents_make_equal_files(tmp_path: Path) -> None:
    for name in ("a.jsonl.gz", "b.jsonl.gz"):
        write_annotated(tmp_path / name, DOCUMENTS)
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()


def test_a_folder_is_read_in_the_order_of_its_files(tmp_path: Path) -> None:
    write_annotated(tmp_path / "part-1.jsonl.gz", DOCUMENTS[1:])
    write_annotated(tmp_path / "part-0.parquet", DOCUMENTS[:1])
    assert list(read_annotated(tmp_path)) == DOCUMENTS


def test_reading_is_lazy(tmp_path: Path) -> None:
    good = json.dumps({"text": "a", "anchors": []})
    (tmp_path / "a.jsonl").write_text(f"{good}\nbroken\n")
    rows = read_annotated(tmp_path / "a.jsonl")
    assert next(rows) == AnnotatedText("a")
    with pytest.raises(LexigraftError, match=r"line is not JSON.*line 2"):
        next(rows)


def test_rows_of_other_programs_may_lack_what_they_do_not_know(tmp_path: Path) -> None:
    rows = [{"text": "Lima", "anchors": [{"start": 0, "end": 4, "surface": {"en": "Lima", "es": None}}]}]
    (tmp_path / "a.jsonl").write_text("\ufeff" + json.dumps(rows[0]) + "\n\n", encoding="utf-8")
    # Without a schema Arrow makes a struct of an object.
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    expected = [AnnotatedText("Lima", "", (Anchor(0, 4, "", None, {"en": "Lima"}),))]
    assert list(read_annotated(tmp_path / "a.jsonl")) == expected
    assert list(read_annotated(tmp_path / "a.parquet")) == expected


def anchors(*places: tuple[Any, Any]) -> dict[str, object]:
    return {"text": "abcdef", "title": "t", "anchors": [{"start": s, "end": e, "title": "x"} for s, e in places]}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (anchors((2, 7)), "outside the text.*line 1: 2 to 7 of 6 characters.*code points"),
        (anchors((-1, 2)), "outside the text.*line 1: -1 to 2"),
        (anchors((3, 3)), "outside the text or is empty.*line 1: 3 to 3"),
        (anchors((0, 3), (2, 4)), "anchors overlap.*line 1: 0 to 3 and 2 to 4"),
        (anchors((3, 4), (0, 2)), "not in the order.*line 1: 3 to 4 and 0 to 2"),
        (anchors((0, True)), "no whole numbers.*line 1: 0 to True"),
        (anchors((0, None)), "no whole numbers.*line 1: 0 to None"),
        ({"text": "a", "anchors": ["x"]}, "anchor is no object.*line 1"),
        ({"text": "a", "anchors": [{"start": 0, "end": 1, "surface": "x"}]}, "surface is no object.*line 1"),
        ({"text": "a", "anchors": [{"start": 0, "end": 1, "surface": 3}]}, "surface is no object.*line 1"),
        ({"text": "a", "anchors": [{"start": 0, "end": 1, "surface": {"en": 3}}]}, "field 'en' is not text.*line 1"),
        ({"text": "a", "anchors": [{"start": 0, "end": 1, "title": 3}]}, "field 'title' is not text.*line 1"),
        ({"text": "a"}, "no list of anchors.*line 1"),
        ({"text": "a", "anchors": "none"}, "no list of anchors.*line 1"),
        ({"anchors": []}, "no field 'text'.*line 1"),
        ({"text": "a\ud800", "anchors": []}, "half of a surrogate pair.*line 1"),
        ([1], "line is no JSON object.*line 1"),
    ],
)
def test_broken_rows_are_refused_with_their_place(tmp_path: Path, row: object, message: str) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    with pytest.raises(LexigraftError, match=message):
        list(read_annotated(tmp_path / "a.jsonl"))


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LexigraftError, match="text not found"):
        list(read_annotated(tmp_path / "absent.jsonl"))
    (tmp_path / "a.txt").write_text("text\n")
    with pytest.raises(LexigraftError, match=r"JSON lines or Parquet.*a\.txt"):
        list(read_annotated(tmp_path / "a.txt"))
    with pytest.raises(LexigraftError, match=r"JSON lines or Parquet.*b\.txt"):
        write_annotated(tmp_path / "b.txt", DOCUMENTS)
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(LexigraftError, match="parquet file cannot be read"):
        list(read_annotated(tmp_path / "a.parquet"))
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b"{}\n" * 9)[:-9])
    with pytest.raises(LexigraftError):
        list(read_annotated(tmp_path / "a.jsonl.gz"))


def test_a_document_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    write_annotated(path, DOCUMENTS)

    def failing() -> Any:
        yield DOCUMENTS[1]
        raise LexigraftError("broken")

    with pytest.raises(LexigraftError, match="broken"):
        write_annotated(path, failing())
    assert list(read_annotated(path)) == DOCUMENTS
