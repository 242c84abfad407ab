"""Reader of records: JSON lines, or tables whose first line names the columns (.tsv, .csv); both also as gzip."""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lexigraft.core.data.readers import MOST_CELL, expand, numbered_lines
from lexigraft.core.errors import LexigraftError, did_you_mean

_DELIMITERS = {".tsv": "\t", ".csv": ","}


class FileRecord(NamedTuple):
    """A record of a file.

    Attributes:
        values: Its values by field; those of a table are text.
        where: What a message calls it: file and line.
    """

    values: dict[str, Any]
    where: str


def read_records(paths: Sequence[str | Path], fields: Collection[str]) -> Iterator[FileRecord]:
    """Stream the records of files in order; empty lines are left out.

    Args:
        paths: Files, globs or folders.
        fields: The fields that every record must have.

    Yields:
        One record after the other.

    Raises:
        LexigraftError: A missing file, broken JSON or a broken table, a line that holds no record, a missing field.
    """
    for path in expand(paths):
        if isinstance(path, str):
            raise LexigraftError("records are read from files only", path, "Download the data set and give its files")
        delimiter = _DELIMITERS.get(Path(path.name.removesuffix(".gz")).suffix.lower())
        for record in _objects(path) if delimiter is None else _rows(path, delimiter):
            for field in fields:
                if field not in record.values:
                    hint = did_you_mean(field, map(str, record.values))
                    raise LexigraftError(f"record has no field '{field}'", record.where, hint)
            yield record


def _objects(path: Path) -> Iterator[FileRecord]:
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


def _rows(path: Path, delimiter: str) -> Iterator[FileRecord]:
    csv.field_size_limit(MOST_CELL)
    rows = csv.reader((f"{line}\n" for _, line in numbered_lines(path)), delimiter=delimiter, strict=True)
    try:
        header = next(rows, [])
        for row in rows:
            if not row:
                continue
            where = f"{path}, line {rows.line_num}"
            if len(row) != len(header):
                hint = f"{len(header)} are expected, as the first line has"
                raise LexigraftError("row has another number of cells", f"{where}: {len(row)}", hint)
            yield FileRecord(dict(zip(header, row, strict=True)), where)
    except csv.Error as error:
        raise LexigraftError("table cannot be read", f"{path}, line {rows.line_num}", str(error)) from None
