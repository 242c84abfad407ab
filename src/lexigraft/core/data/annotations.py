"""Anchors of the lines of a corpus."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lexigraft.core.data.annotated_text import Anchor, AnnotatedText, as_row, read_annotated
from lexigraft.core.data.spill import keep_lines
from lexigraft.core.errors import LexigraftError


@dataclass(frozen=True, eq=False)
class Annotations:
    """The anchors of documents, found by a document's text as a corpus has it, without white space around it.

    Attributes:
        hash: SHA-256 (hex) over all anchors.
        anchors: How many there are.
    """

    hash: str
    anchors: int
    _keys: npt.NDArray[np.int64]
    _order: npt.NDArray[np.int64]
    _rows: Sequence[str]

    def document(self, line: str) -> AnnotatedText:
        """A line with its anchors; without any where the line is no annotated document."""
        key = _key(line)
        at = int(self._keys.searchsorted(key))
        if at == len(self._keys) or self._keys[at] != key:
            return AnnotatedText(line)
        return AnnotatedText(line, "", tuple(_anchor(one) for one in json.loads(self._rows[int(self._order[at])])))


def read_annotations(paths: Iterable[str | Path], lines: Collection[str]) -> Annotations:
    """Read the anchors of the documents that are lines of a corpus.

    Args:
        paths: The files of the corpus.
        lines: Its lines, each a document without white space around it.

    Returns:
        The anchors; a text that occurs again keeps those of its first document.

    Raises:
        LexigraftError: A file that is no annotated text, a broken row, or no anchor in any of the documents.
    """
    names = [str(path) for path in paths]
    wanted = np.unique(np.fromiter((_key(line) for line in lines), np.int64, len(lines)))
    keys: list[int] = []
    seen: set[int] = set()
    digest = sha256()
    count = 0

    def rows() -> Iterator[str]:
        nonlocal count
        for path in names:
            for document in map(_stripped, read_annotated(path)):
                key = _key(document.text)
                at = int(wanted.searchsorted(key))
                if key in seen or at == len(wanted) or wanted[at] != key:
                    continue
                seen.add(key)
                keys.append(key)
                count += len(document.anchors)
                row = json.dumps(as_row(document)["anchors"], ensure_ascii=False, sort_keys=True)
                digest.update(f"{key}{row}\n".encode("utf-8", "surrogatepass"))
                yield row

    kept = keep_lines(rows())
    if not count:
        hint = "Annotate the text first (`lexigraft corpus`), or leave out what works on anchors"
        raise LexigraftError("no document of the training text has an anchor", ", ".join(names), hint)
    found = np.array(keys, np.int64)
    order = np.argsort(found, kind="stable")
    return Annotations(digest.hexdigest(), count, found[order], order, kept)


def _key(text: str) -> int:
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def _stripped(document: AnnotatedText) -> AnnotatedText:
    """The document as a corpus has it: without white space around it; anchors of white space alone are gone."""
    text = document.text.strip()
    shift = len(document.text) - len(document.text.lstrip())
    moved = (
        Anchor(max(0, a.start - shift), min(len(text), a.end - shift), a.title, a.wikidata_id, a.surface)
        for a in document.anchors
    )
    return AnnotatedText(text, document.title, tuple(anchor for anchor in moved if anchor.start < anchor.end))


def _anchor(row: Mapping[str, Any]) -> Anchor:
    return Anchor(row["start"], row["end"], row["title"], row["wikidata_id"], row["surface"])
