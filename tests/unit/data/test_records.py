"""Records with named columns, from every kind of table, with or without quotes."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lexigraft.core.data.records import read_text_records
from lexigraft.core.errors import LexigraftError


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tsv", "id\ttext\tlabel\n1\tyes\n2\tno\tx\n", "table cannot be read"),
        ("a.csv", 'text,label\n"yes,x\n', "table cannot be read"),
        ("a.jsonl", "[1]\n", "line is no JSON object.*line 1"),
        ("a.jsonl", "{\n", "line is not JSON.*line 1"),
        ("a.jsonl", '{"text": "a\\ud800"}\n', "half of a surrogate pair.*line 1"),
        ("a.jsonl", '{"text": null}\n', "no field 'text'.*line 1"),
    ],
)
def test_records_that_cannot_be_read_are_refused(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(LexigraftError, match=message):
        list(read_text_records([tmp_path / name], ["text"]))


@pytest.mark.parametrize(("name", "content", "text"), [
    ("a.tsv", 'text\tlabel\n"She said ""yes"""\tx\n', 'She said "yes"'),
    ("a.tsv", 'text\tlabel\n"She" said yes\tx\n', '"She" said yes'),
    ("a.tsv", 'text\tlabel\nShe said "yes\tx\n', 'She said "yes'),
    ("a.csv", 'label,text\nx,"yes, she said"\n', "yes, she said"),
    ("a.jsonl", '{"text": "yes", "label": 1}\n\n', "yes"),
])  # fmt: skip
def test_tables_are_read_with_and_without_quotes(tmp_path: Path, name: str, content: str, text: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    [record] = read_text_records([tmp_path / name], ["text", "label"])
    assert record.values["text"] == text
    assert record.values["label"] in ("x", "1")


def test_parquet_is_read_and_numbers_are_text(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a", "b"], "label": [0, 1]}), tmp_path / "a.parquet")
    read = [r.values for r in read_text_records([tmp_path / "a.parquet"], ["text", "label"])]
    assert read == [{"text": "a", "label": "0"}, {"text": "b", "label": "1"}]


def test_a_mistyped_column_is_refused_with_the_closest_name(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("category\ttext\nx\ty\n", encoding="utf-8")
    with pytest.raises(LexigraftError, match=r"no field 'categry'.*line 2.*'category'"):
        list(read_text_records([tmp_path / "a.tsv"], ["categry"]))
