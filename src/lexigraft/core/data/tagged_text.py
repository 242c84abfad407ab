"""Sentences of words with one label each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from lexigraft.core.data.conllu import read_conllu
from lexigraft.core.data.readers import expand, numbered_lines
from lexigraft.core.errors import LexigraftError

_DOCUMENT = "-DOCSTART-"


class TaggedSentence(NamedTuple):
    """A sentence.

    Attributes:
        words: Its words, none empty.
        labels: The label of each word.
        text: The sentence as it was written, where the file holds it, else its words with spaces between them.
    """

    words: tuple[str, ...]
    labels: tuple[str, ...]
    text: str


def read_tagged(paths: Sequence[str | Path]) -> list[TaggedSentence]:
    """Read sentences of tagged words; the name of the file says which format it has.

    ``.conllu`` is CoNLL-U, whose universal part-of-speech tags are read. In every other file a line is a word and its
    label (the first and the last column, separated by tabs, or by spaces where there is no tab), and an empty line ends
    a sentence.

    Args:
        paths: Files or globs, gzipped or not.

    Raises:
        LexigraftError: A missing file, a line without a word or without a label, or no sentence.
    """
    sentences: list[TaggedSentence] = []
    for path in map(Path, expand(paths)):
        if ".conllu" in path.suffixes:
            sentences += [TaggedSentence(s.forms, s.tags, s.text) for s in read_conllu(path)]
        else:
            sentences += _sentences(_rows(path))
    if not sentences:
        raise LexigraftError(
            "there is no tagged sentence", ", ".join(map(str, paths)), "Give a word and a label a line"
        )
    return sentences


def _rows(path: Path) -> Iterator[tuple[str, str] | None]:
    """Words with their labels; None where a sentence ends."""
    for number, line in numbered_lines(path):
        columns = [c.strip() for c in line.split("\t")] if "\t" in line else line.split()
        if not any(columns) or columns[0] == _DOCUMENT:
            yield None
        elif len(columns) < 2 or not columns[0] or not columns[-1]:
            hint = "Give a word, a tab and its label; an empty line ends a sentence"
            raise LexigraftError("line is no word with a label", f"{path}, line {number}", hint)
        else:
            yield columns[0], columns[-1]


def _sentences(rows: Iterable[tuple[str, str] | None]) -> Iterator[TaggedSentence]:
    words: list[str] = []
    labels: list[str] = []
    for row in [*rows, None]:
        if row is not None:
            words.append(row[0])
            labels.append(row[1])
        elif words:
            yield TaggedSentence(tuple(words), tuple(labels), " ".join(words))
            words, labels = [], []
