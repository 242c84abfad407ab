"""Words and universal part-of-speech tags of CoNLL-U files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lexigraft.core.data.readers import numbered_lines
from lexigraft.core.errors import LexigraftError

_COLUMNS = 10
_ID, _FORM, _UPOS = 0, 1, 3
_TEXT = "# text ="


class ConlluSentence(NamedTuple):
    """A sentence of a treebank.

    Attributes:
        forms: Its syntactic words.
        tags: Their universal part-of-speech tags.
        text: Its text as the treebank has it, else the words with spaces between them.
    """

    forms: tuple[str, ...]
    tags: tuple[str, ...]
    text: str


def read_conllu(path: Path) -> Iterator[ConlluSentence]:
    """Stream the sentences of a treebank.

    Syntactic words are read, as taggers are scored on them: the lines of multiword tokens (``1-2``) and of empty nodes
    (``1.1``) are left out.

    Args:
        path: The file, gzipped or not.

    Yields:
        One sentence.

    Raises:
        LexigraftError: A line without ten columns, or a word without a form or a tag.
    """
    forms: list[str] = []
    tags: list[str] = []
    text = ""
    for number, line in _lines(path):
        if line.startswith("#"):
            text = line.removeprefix(_TEXT).strip() if line.startswith(_TEXT) else text
        elif line.strip():
            columns = line.split("\t")
            if len(columns) != _COLUMNS:
                hint = f"CoNLL-U has {_COLUMNS} columns with tabs between them; here are {len(columns)}"
                raise LexigraftError("line is no CoNLL-U", f"{path}, line {number}", hint)
            if not columns[_ID].isdecimal():
                continue
            form, tag = columns[_FORM].strip(), columns[_UPOS]
            if not form or tag in ("", "_"):
                hint = "Every word needs a form (column 2) and a universal part-of-speech tag (column 4)"
                raise LexigraftError("word has no form or no tag", f"{path}, line {number}", hint)
            forms.append(form)
            tags.append(tag)
        elif forms:
            yield ConlluSentence(tuple(forms), tuple(tags), text or " ".join(forms))
            forms, tags, text = [], [], ""


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file, and an empty one that ends the last sentence."""
    yield from numbered_lines(path)
    yield 0, ""
