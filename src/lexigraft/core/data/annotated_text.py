"""Annotated text: documents whose mentions of entities are marked, read and written as JSON lines or Parquet.

A row is ``{"text": …, "title": …, "anchors": [{"start": 0, "end": 5, "title": …, "wikidata_id": …, "surface": {"en":
…}}]}``. Offsets count Unicode code points of the text, ``end`` is not included. Whatever writes such rows, a reader of
Wikipedia dumps, a dictionary matcher or a named entity recognizer, feeds the same augmenters.
"""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, TypeGuard

from lexigraft.core.data.readers import JSON_LINES, expand, numbered_lines, text_in
from lexigraft.core.errors import LexigraftError
from lexigraft.core.utils.files import replacing
from lexigraft.core.utils.lfs import refuse_pointers

BATCH_ROWS = 1000
"""Documents that are held at a time when a Parquet file is read or written."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """A mention of an entity in a text.

    Attributes:
        start: Where it starts, in code points.
        end: Where it ends; the character at ``end`` is not part of it.
        title: The entity's name in the text's language, for Wikipedia the title of the article; empty if unknown.
        wikidata_id: Its Wikidata item, as ``Q42``.
        surface: Its names in other languages by language code.
    """

    start: int
    end: int
    title: str = ""
    wikidata_id: str | None = None
    surface: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class AnnotatedText:
    """A document with its anchors.

    Attributes:
        text: The text.
        title: The document's title; may be empty.
        anchors: The mentions, in the order of the text; no two overlap, none is empty.

    Raises:
        LexigraftError: An anchor lies outside the text, is empty, or overlaps the one before it.
    """

    text: str
    title: str = ""
    anchors: tuple[Anchor, ...] = ()

    def __post_init__(self) -> None:
        for anchor in self.anchors:
            if not 0 <= anchor.start < anchor.end <= len(self.text):
                place = f"{anchor.start} to {anchor.end} of {len(self.text)} characters"
                raise LexigraftError("anchor lies outside the text or is empty", place, _OFFSETS)
        for one, two in pairwise(self.anchors):
            if two.start < one.end:
                place = f"{one.start} to {one.end} and {two.start} to {two.end}"
                raise LexigraftError("anchors overlap or are not in the order of the text", place, _OFFSETS)


_OFFSETS = "Offsets count Unicode code points of the text (not bytes), and end is not included"


def is_annotated(path: Path) -> bool:
    """Whether a file is of annotated text, by its name."""
    return _form(path) is not None


def read_annotated(path: str | Path) -> Iterator[AnnotatedText]:
    """Stream the documents of files in order.

    Args:
        path: A file (.jsonl, .jsonl.gz or .parquet), a glob, or a folder of such files.

    Yields:
        One document after the other.

    Raises:
        LexigraftError: A missing file (before anything is read), or a row that is broken: no JSON, a field that is
            missing or of another type, anchors that lie outside the text or overlap. The message names the row.
    """
    for file in expand([path]):
        if isinstance(file, str) or _form(file) is None:
            raise LexigraftError("annotated text is JSON lines or Parquet", file, "Give .jsonl, .jsonl.gz or .parquet")
        rows = _parquet_rows(file) if _form(file) == ".parquet" else _json_rows(file)
        for row, where in rows:
            yield document_of(row, where)


def write_annotated(path: str | Path, texts: Iterable[AnnotatedText]) -> int:
    """Write documents atomically.

    Args:
        path: The file: .jsonl, .jsonl.gz or .parquet; its folder is made when missing.
        texts: The documents; they are written as they come, not held.

    Returns:
        How many documents were written.

    Raises:
        LexigraftError: Another kind of file, or a file that cannot be written.
    """
    path = Path(path)
    form = _form(path)
    if form is None:
        raise LexigraftError("annotated text is JSON lines or Parquet", path, "Name it .jsonl, .jsonl.gz or .parquet")
    with replacing(path) as temporary:
        if form == ".parquet":
            return _write_parquet(temporary, texts)
        return _write_json(temporary, texts, compressed=path.suffix.lower() == ".gz")


def as_row(document: AnnotatedText) -> dict[str, Any]:
    """The row of a document: a JSON object."""
    anchors = [
        {"start": a.start, "end": a.end, "title": a.title, "wikidata_id": a.wikidata_id, "surface": dict(a.surface)}
        for a in document.anchors
    ]
    return {"text": document.text, "title": document.title, "anchors": anchors}


def _form(path: Path) -> str | None:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes[-1:] == [".parquet"]:
        return ".parquet"
    suffix = "".join(suffixes[-2:-1] if suffixes[-1:] == [".gz"] else suffixes[-1:])
    return suffix if suffix in JSON_LINES else None


def _json_rows(path: Path) -> Iterator[tuple[object, str]]:
    for number, line in numbered_lines(path):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise LexigraftError("line is not JSON", where, f"Give one JSON object a line ({error})") from None
        yield row, where


def _parquet_rows(path: Path) -> Iterator[tuple[object, str]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    refuse_pointers([path])
    number = 0
    try:
        with pq.ParquetFile(path) as file:
            names = [name for name in ("text", "title", "anchors") if name in file.schema_arrow.names]
            for batch in file.iter_batches(BATCH_ROWS, columns=names):
                for row in batch.to_pylist():
                    number += 1
                    yield row, f"{path}, row {number}"
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise LexigraftError("parquet file cannot be read", path, " ".join(str(error).split())[:300]) from None


def document_of(row: object, where: str) -> AnnotatedText:
    """The document of a row; the opposite of :func:`as_row`.

    Args:
        row: A JSON object.
        where: What a message calls it.

    Raises:
        LexigraftError: A field is missing or of another type, or anchors lie outside the text or overlap.
    """
    if not isinstance(row, Mapping):
        raise LexigraftError("line is no JSON object", where, "Give one document a line")
    text = text_in(row, "text", where)
    title = text_in(row, "title", where) if "title" in row else ""
    anchors = row.get("anchors")
    if not isinstance(anchors, Sequence) or isinstance(anchors, str):
        raise LexigraftError("document has no list of anchors", where, 'Give "anchors": [] where there are none')
    try:
        return AnnotatedText(text, title, tuple(_anchor(anchor, where) for anchor in anchors))
    except LexigraftError as error:
        at = "" if where in str(error.value) else f"{where}: "
        raise LexigraftError(error.what, f"{at}{error.value}", error.hint) from None


def _anchor(value: object, where: str) -> Anchor:
    if not isinstance(value, Mapping):
        raise LexigraftError("anchor is no object with start and end", where)
    start, end = value.get("start"), value.get("end")
    if not (_is_whole(start) and _is_whole(end)):
        raise LexigraftError("anchor's start and end are no whole numbers", f"{where}: {start!r} to {end!r}", _OFFSETS)
    title = text_in(value, "title", where) if "title" in value else ""
    item = text_in(value, "wikidata_id", where) if "wikidata_id" in value else ""
    return Anchor(start, end, title, item or None, _surface(value.get("surface"), where))


def _is_whole(offset: object) -> TypeGuard[int]:
    return isinstance(offset, int) and not isinstance(offset, bool)


def _surface(value: Any, where: str) -> dict[str, str]:
    """Names by language; Parquet gives a map as a list of pairs, and a struct with ``null`` for names that lack."""
    pairs = value.items() if isinstance(value, Mapping) else [] if value is None else value
    try:
        names = {language: name for language, name in pairs if name is not None}
    except (TypeError, ValueError):
        hint = 'Give {"en": "English name"}'
        raise LexigraftError("surface is no object of names by language", where, hint) from None
    for language in names:
        text_in(names, language, where)
    return names


def _write_json(path: Path, texts: Iterable[AnnotatedText], compressed: bool) -> int:
    count = 0
    # Without name and time, so that equal documents make equal files.
    with path.open("wb") as raw, io.BufferedWriter(_gzip(raw) if compressed else raw) as file:
        for document in texts:
            file.write(json.dumps(as_row(document), ensure_ascii=False).encode("utf-8") + b"\n")
            count += 1
    return count


def _gzip(file: Any) -> gzip.GzipFile:
    return gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0, compresslevel=6)


def _write_parquet(path: Path, texts: Iterable[AnnotatedText]) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    anchor = pa.struct(
        {
            "start": pa.int32(),
            "end": pa.int32(),
            "title": pa.string(),
            "wikidata_id": pa.string(),
            "surface": pa.map_(pa.string(), pa.string()),
        }
    )
    schema = pa.schema({"text": pa.string(), "title": pa.string(), "anchors": pa.list_(anchor)})
    count = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        rows = (as_row(document) for document in texts)
        while batch := list(islice(rows, BATCH_ROWS)):
            writer.write_table(pa.Table.from_pylist([_with_pairs(row) for row in batch], schema))
            count += len(batch)
    return count


def _with_pairs(row: dict[str, Any]) -> dict[str, Any]:
    """A row whose maps are lists of pairs, as Arrow wants them."""
    for anchor in row["anchors"]:
        anchor["surface"] = list(anchor["surface"].items())
    return row
