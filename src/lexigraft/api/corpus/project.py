"""Named entities of a text projected onto its translation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lexigraft.adapters.vectors.word_training import words_of
from lexigraft.adapters.word_aligners import ALIGNERS
from lexigraft.api.corpus.label_projection import projected_labels
from lexigraft.core.config.recipe import ParallelSettings
from lexigraft.core.data.bio import is_bio, repaired
from lexigraft.core.data.parallel_text import load_parallel
from lexigraft.core.data.readers import read_lines
from lexigraft.core.data.tagged_text import TaggedSentence, read_tagged
from lexigraft.core.errors import LexigraftError
from lexigraft.core.utils.files import write_whole

COUNTED = ("entities", "projected", "without_links", "overlapping", "split", "filled_words")


@dataclass(frozen=True)
class ProjectedText:
    """What was written.

    Attributes:
        out: The file.
        sentences: Sentences that were read.
        written: Sentences that were written.
        counts: Entities by what became of them (see :func:`lexigraft.api.corpus.label_projection.projected_labels`),
            and ``repaired_labels``, labels ``I-`` of the source that continued nothing and became ``B-``.
    """

    out: Path
    sentences: int
    written: int
    counts: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"out": str(self.out), "sentences": self.sentences, "written": self.written, **self.counts}


def project_labels(
    source: str | Path,
    target: str | Path,
    out: str | Path,
    *,
    parallel: tuple[str | Path, str | Path] | None = None,
    aligner: Literal["builtin", "eflomal"] = "builtin",
    max_gap: int = 1,
    drop_incomplete: bool = False,
    force: bool = False,
) -> ProjectedText:
    """Write a translation's words with the entities of the source, by the links of a word aligner.

    Args:
        source: Tagged sentences with BIO labels: a word and its label a line, an empty line between sentences.
        target: Text whose line n is the translation of sentence n.
        out: The file to write, in the format of ``source``.
        parallel: Two more files of text, aligned line by line, from which the aligner learns as well.
        aligner: The word aligner.
        max_gap: Words inside an entity that may be linked with nothing of it, between two that are.
        drop_incomplete: Leave out sentences of which an entity is lost, where it would teach that there is none.
        force: Replace the file if it exists.

    Raises:
        LexigraftError: A file that cannot be read, sides of different length, labels that are not BIO, or no sentence
            left.
    """
    out = Path(out)
    if out.exists() and not force:
        raise LexigraftError("output file exists", out, "Choose another --out, or pass --force to replace it")
    sentences = read_tagged([source])
    _refuse_other_labels(sentences, source)
    lines = list(read_lines([target]))
    if len(lines) != len(sentences):
        shown = f"{len(sentences):,} sentences in {source}, {len(lines):,} lines in {target}"
        hint = "Line n must be the translation of sentence n"
        raise LexigraftError("tagged sentences and their translations differ in number", shown, hint)
    left = [list(sentence.words) for sentence in sentences]
    right = [list(words_of(line)) for line in lines]
    links = _links(left, right, parallel, aligner)
    counts: Counter[str] = Counter(dict.fromkeys((*COUNTED, "repaired_labels"), 0))
    written: list[str] = []
    for sentence, words, own in zip(sentences, right, links, strict=True):
        labels, broken = repaired(sentence.labels)
        counts["repaired_labels"] += broken
        before = counts["without_links"] + counts["overlapping"]
        made = projected_labels(labels, own, len(words), counts, max_gap)
        is_complete = counts["without_links"] + counts["overlapping"] == before
        if words and (is_complete or not drop_incomplete):
            written.append("".join(f"{word}\t{label}\n" for word, label in zip(words, made, strict=True)))
    if not written:
        raise LexigraftError("no sentence is left", f"{len(sentences):,} read", "Give more text for --parallel")
    write_whole(out, "\n".join(written))
    return ProjectedText(out, len(sentences), len(written), dict(counts))


def _links(
    left: list[list[str]], right: list[list[str]], parallel: tuple[str | Path, str | Path] | None, aligner: str
) -> Sequence[Sequence[tuple[int, int]]]:
    """The links of each sentence pair, none between a word and a punctuation mark; further text comes after them."""
    more: tuple[list[list[str]], list[list[str]]] = ([], [])
    if parallel is not None:
        text = load_parallel(ParallelSettings(source=[str(parallel[0])], target=[str(parallel[1])]))
        more = [list(words_of(line)) for line in text.source], [list(words_of(line)) for line in text.target]
    found = ALIGNERS[aligner](left + more[0], right + more[1])
    return [
        [(i, j) for i, j in links if any(map(str.isalnum, source[i])) == any(map(str.isalnum, target[j]))]
        for source, target, links in zip(left, right, found, strict=False)
    ]


def _refuse_other_labels(sentences: Sequence[TaggedSentence], source: str | Path) -> None:
    for number, sentence in enumerate(sentences, 1):
        for label in sentence.labels:
            if not is_bio(label):
                shown = f"{source}, sentence {number}: {label}"
                raise LexigraftError("label is no BIO label", shown, "Labels are O, or B- and I- with a type")
