"""The first documents of a text, cut to a readable length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from lexigraft.core.data.annotated_text import AnnotatedText, is_annotated, read_annotated
from lexigraft.core.data.readers import read_lines
from lexigraft.core.errors import LexigraftError


def preview(path: str | Path, *, documents: int = 3, skip: int = 0, characters: int = 1000) -> Iterator[AnnotatedText]:
    """Yield the first documents, each cut after so many characters but not inside an anchor.

    Args:
        path: A file, glob or folder of annotated text; or plain text (any other file), whose lines are documents.
        documents: How many documents; 0 for all.
        skip: How many are passed over before.
        characters: Characters of each; 0 for all.

    Raises:
        LexigraftError: A file or row that cannot be read, or nothing to show.
    """
    plain = not is_annotated(Path(path)) if Path(path).is_file() else ".txt" in Path(path).suffixes
    texts = (AnnotatedText(line) for line in read_lines([path])) if plain else read_annotated(path)
    read = islice(texts, skip, skip + documents if documents else None)
    count = 0
    for document in read:
        count += 1
        yield _cut(document, characters) if characters else document
    if not count:
        raise LexigraftError("there is no such document", path, "Give another file, or a smaller --skip")


def _cut(document: AnnotatedText, characters: int) -> AnnotatedText:
    if len(document.text) <= characters:
        return document
    end = next((a.start for a in document.anchors if a.start < characters < a.end), characters)
    anchors = tuple(anchor for anchor in document.anchors if anchor.end <= end)
    return replace(document, text=document.text[:end], anchors=anchors)
