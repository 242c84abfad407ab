"""Readers of text: one rule for every kind of file, and an error that names the place for what is not text."""

from __future__ import annotations

import contextlib
import gzip
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lexigraft.core.data import readers
from lexigraft.core.data.corpus import Corpus, load_corpus
from lexigraft.core.data.readers import read_lines
from lexigraft.core.errors import LexigraftError


def hub_set(patch: pytest.MonkeyPatch, rows: list[dict[str, object]]) -> str:
    """The name of a Hub data set with these rows."""
    patch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=lambda *_, **__: rows))
    return "hub:some/set"


def parquet(path: Path, texts: pa.Array) -> Path:
    pq.write_table(pa.table({"text": texts}), path)
    return path


@pytest.mark.parametrize("half", ["\\ud83d", "\\ude00", "\\ude00\\ud83d"])
def test_half_of_a_surrogate_pair_is_refused_with_its_line(tmp_path: Path, half: str) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(f'{{"text": "wasi \\ud83d\\ude00"}}\n{{"text": "wasi {half} runa"}}\n', encoding="ascii")
    with pytest.raises(LexigraftError, match=r"half of a surrogate pair.*t\.jsonl, line 2"):
        load_corpus([path])
    with pytest.raises(LexigraftError, match="half of a surrogate pair"):
        Corpus.of(["good", json.loads(f'"{half}"')])


def test_null_is_an_empty_line_in_every_kind_of_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["a", None, "b", None]
    lines = tmp_path / "t.jsonl"
    lines.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    table = parquet(tmp_path / "t.parquet", pa.array(texts))
    for source in (lines, table, hub_set(monkeypatch, [{"text": text} for text in texts])):
        assert list(read_lines([source])) == ["a", "", "b", ""], source
        corpus = load_corpus([source])
        assert (list(corpus.lines), corpus.dropped_empty) == (["a", "b"], 2), source


def test_what_is_no_text_in_a_data_set_of_the_hub_is_refused_as_in_files(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong: dict[str, dict[str, object]] = {
        "is not text": {"text": 3},
        "no field 'text'": {"body": "a"},
        "half": {"text": "\ud800"},
    }
    for message, row in wrong.items():
        with pytest.raises(LexigraftError, match=rf"{message}.*hub:some/set, row 2"):
            list(read_lines([hub_set(monkeypatch, [{"text": "a"}, row])]))


@pytest.mark.parametrize(
    "value", ["[" * 200_000, '{"a":' * 200_000, "9" * 5000, '{"text": "a", "id": ' + "9" * 5000 + "}"]
)
def test_json_that_the_decoder_cannot_read_is_refused_with_its_line(tmp_path: Path, value: str) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"text": "a"}\n' + value + "\n")
    with pytest.raises(LexigraftError, match=r"JSON.*line 2"):
        list(read_lines([path]))


def test_parquet_whose_text_is_not_utf8_is_refused(tmp_path: Path) -> None:
    raw = pa.array([b"good", b"caf\xe9 noir"], pa.binary())
    path = parquet(tmp_path / "t.parquet", pa.Array.from_buffers(pa.string(), 2, raw.buffers()))
    with pytest.raises(LexigraftError, match=r"not UTF-8.*t\.parquet, column 'text'.*0xe9"):
        list(read_lines([path]))


def test_csv_is_read_by_its_named_column(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('id,text\r\n1,"Huk, iskay"\r\n2,"two\nlines ""quoted"""\r\n\r\n3,kimsa\r\n', encoding="utf-8")
    assert list(read_lines([path])) == ["Huk, iskay", 'two\nlines "quoted"', "kimsa"]
    assert list(read_lines([path], "id")) == ["1", "2", "3"]
    with pytest.raises(LexigraftError, match=r"no column 'txt'.*Did you mean 'text'.*\.txt"):
        list(read_lines([path], "txt"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no column 'text'"),
        ("Huk punchaw.\nIskay.\n", "no column 'text'"),
        ("id,text\n1\n", "no field 'text'.*line 2"),
        ('id,text\n1,"never closed\n', "CSV file cannot be read.*line 2"),
    ],
)
def test_csv_that_is_none_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "t.csv").write_text(content)
    with pytest.raises(LexigraftError, match=message):
        list(read_lines([tmp_path / "t.csv"]))


def test_a_cell_of_csv_has_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "MOST_CELL", 1000)
    (tmp_path / "t.csv").write_text('text\n"' + "word\n" * 1000)
    with pytest.raises(LexigraftError, match=r"CSV file cannot be read.*field larger"):
        list(read_lines([tmp_path / "t.csv"]))


def test_a_line_of_a_compressed_file_has_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lexigraft.core.data.readers.MOST_LINE", 1000)
    (tmp_path / "t.txt.gz").write_bytes(gzip.compress(b"ab\n" * 500 + b"c" * 999))
    assert len(list(read_lines([tmp_path / "t.txt.gz"]))) == 501
    (tmp_path / "t.txt.gz").write_bytes(gzip.compress(b"ab\n" * 500 + b"c" * 10**6))
    with pytest.raises(LexigraftError, match="line is too long"):
        list(read_lines([tmp_path / "t.txt.gz"]))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a\rb\rc", ["a", "b", "c"]),
        (b"a\rb\r\rc\r", ["a", "b", "", "c"]),
        (b"a\r\nb\rc\r\n", ["a", "b\rc"]),
        (b"\xef\xbb\xbfa\rb", ["a", "b"]),
        (b"", []),
    ],
)
def test_a_cr_ends_lines_where_nothing_else_does(tmp_path: Path, content: bytes, expected: list[str]) -> None:
    (tmp_path / "t.txt").write_bytes(content)
    assert list(read_lines([tmp_path / "t.txt"])) == expected


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["t.txt", "t.jsonl", "t.csv", "t.parquet", "t.txt.gz"]),
    content=st.one_of(
        st.binary(max_size=200),
        st.text(max_size=60).map(lambda s: s.encode("utf-8", "surrogatepass")),
        st.text(st.characters(), max_size=40).map(lambda s: json.dumps({"text": s}).encode()),
        st.text(max_size=40).map(lambda s: b'id,text\n1,"' + s.encode("utf-8", "surrogatepass")),
    ),
)
def test_any_bytes_are_text_or_one_error(tmp_path: Path, kind: str, content: bytes) -> None:
    (tmp_path / kind).write_bytes(content)
    with contextlib.suppress(LexigraftError):
        for line in read_lines([tmp_path / kind]):
            line.encode("utf-8")
