"""Named entities of a text projected onto its translation by word alignment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from lexigraft.adapters.vectors.word_training import words_of
from lexigraft.adapters.word_aligners import ALIGNERS
from lexigraft.api.corpus.label_projection import projected_labels
from lexigraft.api.corpus.projected_text import (
    ProjectedText,
    read_labelled,
    read_translations,
    refuse_existing,
    write_projected,
)
from lexigraft.core.config.recipe import ParallelSettings
from lexigraft.core.data.parallel_text import load_parallel

COUNTED = ("entities", "projected", "without_links", "overlapping", "split", "filled_words", "repaired_labels")


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
    refuse_existing(out, force)
    counts: Counter[str] = Counter(dict.fromkeys(COUNTED, 0))
    sentences = read_labelled(source, counts)
    right = [list(words_of(line)) for line in read_translations(target, source, len(sentences))]
    links = _links([list(sentence.words) for sentence in sentences], right, parallel, aligner)

    def projected(number: int) -> tuple[str, ...]:
        return projected_labels(sentences[number].labels, links[number], len(right[number]), counts, max_gap)

    return write_projected(out, right, projected, counts, drop_incomplete)


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
