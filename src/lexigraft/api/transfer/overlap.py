"""Overlap of a donor's and a target's text, with the 13-gram check of evaluation text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexigraft.core.data.corpus import Corpus, evenly_chosen, load_corpus
from lexigraft.core.errors import LexigraftError

if TYPE_CHECKING:
    from lexigraft.core.data.ngram_overlap import CopiedText
    from lexigraft.core.transfer.token_overlap import TokenOverlap

MUCH_COPIED = 0.01
"""Share of the target's lines with a sequence of the donor's text from which on the overlap is not one of languages."""
Paths = Sequence[str | Path]


@dataclass(frozen=True)
class OverlapResult:
    """What two texts share.

    Attributes:
        overlap: Tokens and words.
        copied: Word sequences of the target that occur in the donor's text.
        tokenizer: The tokenizer; ``None`` where whole words were compared.
        notes: Sentences worth showing.
    """

    overlap: TokenOverlap
    copied: CopiedText
    tokenizer: str | None
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        copied = {"lines": self.copied.lines, "copied_lines": len(self.copied.copied_lines)}
        copied |= {"ngrams": self.copied.ngrams, "copied_ngrams": self.copied.copied_ngrams}
        copied |= {"short_lines": self.copied.short_lines}
        return {"tokenizer": self.tokenizer, **self.overlap.as_json(), "copied": copied, "notes": list(self.notes)}


def overlap(
    donor: Paths,
    target: Paths,
    *,
    tokenizer: str | None = None,
    max_lines: int | None = None,
    evaluation: Paths = (),
    text_field: str = "text",
) -> OverlapResult:
    """Compare a donor's text with a target's.

    Args:
        donor: Files of the donor's text.
        target: Files of the target's.
        tokenizer: A folder, file or Hub name; without one whole words are compared.
        max_lines: Lines of each text at most, chosen evenly over it, for overlaps at equal size.
        evaluation: Files of evaluation text, of which the donor's text must hold no sequence of 13 words.
        text_field: The field of JSON lines or the column of Parquet that holds the text.

    Raises:
        LexigraftError: A file that cannot be read, text without a line, or evaluation text inside the donor's text.
    """
    from lexigraft.core.data.ngram_overlap import find_copied_text, refuse_copied_text
    from lexigraft.core.transfer.token_overlap import token_overlap

    if max_lines is not None and max_lines < 1:
        raise LexigraftError("at least one line is needed", max_lines, "Give --max-lines 1 or more")
    whole, other = (load_corpus(list(paths), text_field=text_field) for paths in (donor, target))
    if evaluation:
        unseen = load_corpus(list(evaluation), text_field=text_field)
        refuse_copied_text(
            unseen.lines, whole.lines, evaluation_name=", ".join(unseen.origin), training_name=", ".join(whole.origin)
        )
    vocabulary = None
    if tokenizer is not None:
        from lexigraft.core.tokenization.files.loading import load_vocabulary

        vocabulary = load_vocabulary(tokenizer)
    first, second = (text if max_lines is None else evenly_chosen(text, max_lines) for text in (whole, other))
    shared = token_overlap(first.lines, second.lines, vocabulary)
    copied = find_copied_text(other.lines, whole.lines)
    return OverlapResult(shared, copied, tokenizer, tuple(_notes(first, second, copied)))


def _notes(donor: Corpus, target: Corpus, copied: CopiedText) -> list[str]:
    notes = []
    if donor.hash == target.hash:
        notes.append("Both texts are the same.")
    if copied.share > MUCH_COPIED:
        notes.append(
            "One text copies from the other, or holds its language: their overlap says little about the two languages."
        )
    larger = max(donor.bytes, target.bytes)
    if larger > 2 * min(donor.bytes, target.bytes):
        notes.append("One text is over twice as large as the other; overlaps grow with the donor's: use --max-lines.")
    return notes
