"""Records with named fields from tables and JSON lines."""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lexigraft.core.data.readers import MOST_CELL, expand, numbered_lines
from lexigraft.core.errors import LexigraftError, did_you_mean
from lexigraft.core.utils.lfs import refuse_pointers


class FileRecord(NamedTuple):
    """A record of a file.

    Attributes:
        values: Its values by field; those of TSV and CSV are text.
        where: What a message calls it: file and line, or row.
    """

    values: Mapping[str, Any]
    where: str


def read_records(paths: Sequence[str | Path], fields: Collection[str], hint: str = "") -> Iterator[FileRecord]:
    """Stream the records of files in order; empty lines are left out.

    The name of a file says its format: ``.csv``, ``.tsv``, ``.jsonl`` (also ``.ndjson`` and ``.json``), ``.parquet``;
    of another name it is JSON lines where its first line begins with a brace, and TSV else. All but parquet may be
    gzipped. The first line of TSV and CSV names the fields. A TSV whose cells are not all well quoted is read as one
    without quotes.

    Args:
        paths: Files, globs or folders.
        fields: The fields that every record must have.
        hint: What a user can do where one is missing.

    Yields:
        One record after the other.

    Raises:
        LexigraftError: A missing file or field, or a record that cannot be read.
    """
    for path in expand(paths):
        if isinstance(path, str):
            raise LexigraftError("records are read from files only", path, "Download the data set and give its files")
        for record in _records(path, fields):
            for field in fields:
                if record.values.get(field) is None:
                    known = ". ".join(filter(None, (hint, did_you_mean(field, map(str, record.values)))))
                    raise LexigraftError(f"record has no field '{field}'", record.where, known)
            yield record


def read_text_records(paths: Sequence[str | Path], fields: Collection[str], hint: str = "") -> Iterator[FileRecord]:
    """Stream some fields of records as text without spaces around it; numbers of JSON lines and parquet become text.

    Args:
        paths: Files, globs or folders.
        fields: The fields to read.
        hint: What a user can do where one is missing.

    Yields:
        One record after the other, with these fields.

    Raises:
        LexigraftError: See :func:`read_records`; or text that was cut inside a character.
    """
    for record in read_records(paths, fields, hint):
        values = {field: str(record.values[field]).strip() for field in fields}
        if any("\ud800" <= c <= "\udfff" for text in values.values() if not text.isascii() for c in text):
            hint = "Text was cut inside a character; mend it"
            raise LexigraftError("text holds half of a surrogate pair", record.where, hint)
        yield FileRecord(values, record.where)


def _records(path: Path, fields: Collection[str]) -> Iterator[FileRecord]:
    suffix = next((s for s in reversed(path.suffixes) if s != ".gz"), "").lower()
    if suffix == ".parquet":
        return _parquet(path, fields)
    if suffix in (".csv", ".tsv"):
        return _table(path, "," if suffix == ".csv" else "\t")
    if suffix in (".jsonl", ".ndjson", ".json"):
        return _json_lines(path)
    first = next((line for _, line in numbered_lines(path) if line.strip()), "")
    return _json_lines(path) if first.lstrip().startswith("{") else _table(path, "\t")


def _table(path: Path, delimiter: str) -> Iterator[FileRecord]:
    csv.field_size_limit(MOST_CELL)
    lines = [line for _, line in numbered_lines(path)]
    try:
        rows = _rows(lines, delimiter, csv.QUOTE_MINIMAL)
    except (csv.Error, ValueError) as error:
        if delimiter != "\t":
            raise LexigraftError("table cannot be read", path, str(error)) from None
        try:
            rows = _rows(lines, delimiter, csv.QUOTE_NONE)
        except (csv.Error, ValueError) as second:
            raise LexigraftError("table cannot be read", path, str(second)) from None
    header = rows[0][1] if rows else []
    for number, row in rows[1:]:
        yield FileRecord(dict(zip(header, row, strict=True)), f"{path}, line {number}")


def _rows(lines: Sequence[str], delimiter: str, quoting: Any) -> list[tuple[int, list[str]]]:
    """Rows with the number of their last line; ``ValueError`` where they do not all have the header's length."""
    reader = csv.reader((f"{line}\n" for line in lines), delimiter=delimiter, quoting=quoting, strict=True)
    rows = [(reader.line_num, row) for row in reader if row]
    for number, row in rows:
        if len(row) != len(rows[0][1]):
            raise ValueError(
                f"line {number} has {len(row)} cells, and the first one, which names them, {len(rows[0][1])}"
            )
    return rows


def _json_lines(path: Path) -> Iterator[FileRecord]:
    for number, line in numbered_lines(path):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise LexigraftError("line is not JSON", where, f"Give one JSON object a line ({error})") from None
        if not isinstance(found, dict):
            raise LexigraftError("line is no JSON object", where, "Give one JSON object a line")
        yield FileRecord(found, where)


def _parquet(path: Path, fields: Collection[str]) -> Iterator[FileRecord]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    refuse_pointers([path])
    try:
        with pq.ParquetFile(path) as file:
            known = [field for field in fields if field in file.schema_arrow.names]
            rows = file.read(columns=known or None).to_pylist()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise LexigraftError("parquet file cannot be read", path, " ".join(str(error).split())[:300]) from None
    yield from (FileRecord(row, f"{path}, row {number}") for number, row in enumerate(rows, 1))
