"""Reading, cleaning, hashing and splitting text."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lexigraft.core.data.corpus import Corpus, load_corpus, split, without
from lexigraft.core.data.readers import read_lines
from lexigraft.core.errors import LexigraftError

LINES = ["Huk punchaw.", "Iskay ñan", "kimsa"]


def write_corpus(path: Path, kind: str) -> Path:
    text = "\n".join(LINES) + "\n"
    records = "".join(json.dumps({"id": i, "body": line}) + "\n" for i, line in enumerate(LINES))
    if kind == "parquet":
        pq.write_table(pa.table({"body": LINES, "id": [1, 2, 3]}), path)
    elif kind.endswith(".gz"):
        path.write_bytes(gzip.compress((records if "jsonl" in kind else text).encode()))
    else:
        path.write_text(records if kind == "jsonl" else text, encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", ["txt", "txt.gz", "jsonl", "jsonl.gz", "parquet"])
def test_every_kind_gives_the_same_corpus(tmp_path: Path, kind: str) -> None:
    corpus = load_corpus([write_corpus(tmp_path / f"text.{kind}", kind)], text_field="body")
    assert list(corpus.lines) == LINES
    assert corpus.hash == Corpus.of(LINES).hash
    assert corpus.bytes == sum(len(line.encode()) for line in LINES)


def test_globs_and_folders_are_read_in_a_fixed_order(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / f"{name}.txt").write_text(f"{name}\n")
    (tmp_path / "notes.xyz").write_text("not text\n")
    assert list(read_lines([tmp_path])) == ["a", "b"]
    assert list(read_lines([str(tmp_path / "*.txt")])) == ["a", "b"]


def test_strips_and_counts_what_it_drops(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_bytes("\ufeff a \r\n\r\nb\n\n a\ne\u0301\n".encode())
    corpus = load_corpus([path])
    assert corpus.lines == ("a", "b", "e\u0301")
    assert (corpus.dropped_empty, corpus.dropped_duplicates) == (2, 1)
    assert load_corpus([path], deduplicate=False).lines == ("a", "b", "a", "e\u0301")
    assert load_corpus([path], limit_lines=2).lines == ("a", "b")


def test_hash_depends_on_content_and_line_breaks() -> None:
    assert Corpus.of(["ab", "c"]).hash != Corpus.of(["a", "bc"]).hash
    assert Corpus.of(["a"], ["x"]).hash == Corpus.of([" a "], ["y"]).hash


def test_split_keeps_a_line_on_its_side() -> None:
    lines = [f"line {i}" for i in range(500)]
    train, heldout = split(Corpus.of(lines), 0.2, seed=3)
    assert sorted(train.lines + heldout.lines) == sorted(lines)
    assert 60 < len(heldout) < 140
    turned, _ = split(Corpus.of(reversed(lines[100:])), 0.2, seed=3)
    assert set(turned.lines) == set(train.lines) & set(lines[100:])
    assert set(split(Corpus.of(lines), 0.2, seed=4)[1].lines) != set(heldout.lines)


def test_split_without_a_share_and_with_too_little_text() -> None:
    train, heldout = split(Corpus.of(["a", "b"]), 0, seed=0)
    assert (len(train), len(heldout)) == (2, 0)
    with pytest.raises(LexigraftError, match="too small"):
        split(Corpus.of(["a"]), 0.5, seed=0)


def test_heldout_lines_leave_the_training_text() -> None:
    train = without(Corpus.of(["a", "b", "c"]), Corpus.of(["b", "x"]))
    assert train.lines == ("a", "c")
    assert train.dropped_heldout == 1
    with pytest.raises(LexigraftError, match="every training line"):
        without(Corpus.of(["a"]), Corpus.of(["a"]))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.txt", b"", "corpus is empty"),
        ("t.txt", b"good\nna\xefve\n", "not UTF-8.*line 2"),
        ("t.jsonl", b'{"text": "a"}\n{"text"\n', "not JSON.*line 2"),
        ("t.jsonl", b'{"text": "a"}\n\n{"texts": "b"}\n', "no field 'text'.*line 3.*Did you mean 'texts'"),
        ("t.jsonl", b"[1]\n", "no field 'text'.*line 1"),
        ("t.jsonl", b'{"text": 1}\n', "is not text.*line 1"),
        ("t.txt.gz", gzip.compress(b"some text\n" * 50, mtime=0)[:-12], "gzip file is damaged"),
        ("t.txt.gz", b"plain", "gzip file is damaged"),
        ("t.parquet", b"PAR1 but not really", "parquet file cannot be read"),
    ],
)
def test_bad_files_name_the_place(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(LexigraftError, match=message):
        load_corpus([tmp_path / name])


def test_missing_things_are_named(tmp_path: Path) -> None:
    with pytest.raises(LexigraftError, match=r"text not found.*one\.txt, .*two\*"):
        load_corpus([tmp_path / "one.txt", tmp_path / "two*"])
    with pytest.raises(LexigraftError, match="no corpus given"):
        load_corpus([])
    with pytest.raises(LexigraftError, match=r"no column 'text'.*Known: body, id"):
        load_corpus([write_corpus(tmp_path / "t.parquet", "parquet")])
    pq.write_table(pa.table({"text": [1]}), tmp_path / "numbers.parquet")
    with pytest.raises(LexigraftError, match=r"is not text.*int64"):
        load_corpus([tmp_path / "numbers.parquet"])
