"""Tagged text and its translation, read and written for the projection of labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from lexigraft.core.data.bio import is_bio, repaired
from lexigraft.core.data.readers import read_lines
from lexigraft.core.data.tagged_text import read_tagged
from lexigraft.core.errors import LexigraftError
from lexigraft.core.utils.files import write_whole


@dataclass(frozen=True)
class ProjectedText:
    """What was written.

    Attributes:
        out: The file.
        sentences: Sentences that were read.
        written: Sentences that were written.
        counts: Entities by what became of them, and ``repaired_labels``, labels ``I-`` of the source that continued
            nothing and became ``B-``.
    """

    out: Path
    sentences: int
    written: int
    counts: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"out": str(self.out), "sentences": self.sentences, "written": self.written, **self.counts}


class LabelledWords(NamedTuple):
    """The words of a sentence with their BIO labels, the source's repaired."""

    words: tuple[str, ...]
    labels: tuple[str, ...]


def refuse_existing(out: Path, force: bool) -> None:
    """Refuse a file that exists; raises ``LexigraftError`` unless it may be replaced."""
    if out.exists() and not force:
        raise LexigraftError("output file exists", out, "Choose another --out, or pass --force to replace it")


def read_labelled(source: str | Path, counts: Counter[str]) -> list[LabelledWords]:
    """Read tagged sentences.

    Args:
        source: A word and its BIO label a line, an empty line between sentences.
        counts: Counts ``repaired_labels``.

    Raises:
        LexigraftError: A file that cannot be read, or a label that is not BIO.
    """
    found = []
    for number, sentence in enumerate(read_tagged([source]), 1):
        for label in sentence.labels:
            if not is_bio(label):
                shown = f"{source}, sentence {number}: {label}"
                raise LexigraftError("label is no BIO label", shown, "Labels are O, or B- and I- with a type")
        labels, broken = repaired(sentence.labels)
        counts["repaired_labels"] += broken
        found.append(LabelledWords(sentence.words, labels))
    return found


def read_translations(target: str | Path, source: str | Path, sentences: int) -> list[str]:
    """Read the translation of each sentence.

    Args:
        target: The file.
        source: The file of the sentences, for messages.
        sentences: How many there are.

    Raises:
        LexigraftError: A file that cannot be read, or another number of lines.
    """
    lines = list(read_lines([target]))
    if len(lines) != sentences:
        shown = f"{sentences:,} sentences in {source}, {len(lines):,} lines in {target}"
        hint = "Line n must be the translation of sentence n"
        raise LexigraftError("tagged sentences and their translations differ in number", shown, hint)
    return lines


def write_projected(
    out: Path,
    words: Sequence[Sequence[str]],
    projected: Callable[[int], Sequence[str]],
    counts: Counter[str],
    drop_incomplete: bool,
) -> ProjectedText:
    """Project the labels of every sentence, and write the translations that have words.

    Args:
        out: The file.
        words: The words of each translation.
        projected: The labels of a translation by its number; it counts ``entities`` and those ``projected``.
        counts: What it counts in.
        drop_incomplete: Leave out sentences of which an entity is not projected.

    Raises:
        LexigraftError: No sentence is left, or a file that cannot be written.
    """
    written: list[str] = []
    for number, own in enumerate(words):
        before = counts["entities"] - counts["projected"]
        labels = projected(number)
        is_complete = counts["entities"] - counts["projected"] == before
        if own and (is_complete or not drop_incomplete):
            written.append("".join(f"{word}\t{label}\n" for word, label in zip(own, labels, strict=True)))
    if not written:
        raise LexigraftError("no sentence is left", f"{len(words):,} read", "Give translations that have words")
    write_whole(out, "\n".join(written))
    return ProjectedText(out, len(words), len(written), dict(counts))
