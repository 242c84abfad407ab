"""Annotated text made of a text and a dictionary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from lexigraft.core.config.recipe import DictionarySettings
from lexigraft.core.data.annotated_text import AnnotatedText, write_annotated
from lexigraft.core.data.corpus import load_corpus
from lexigraft.core.data.dictionary import load_dictionary
from lexigraft.core.data.dictionary_links import DictionaryLinker
from lexigraft.core.errors import LexigraftError


@dataclass(frozen=True)
class LinkedCorpus:
    """What was written.

    Attributes:
        out: The file.
        documents: Lines of text, each a document.
        linked_documents: Those with an anchor.
        anchors: Anchors.
        entries: Entries of the dictionary.
        matched_entries: Those that were found.
    """

    out: Path
    documents: int
    linked_documents: int
    anchors: int
    entries: int
    matched_entries: int

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"out": str(self.out)}


def link_dictionary(
    texts: Sequence[str | Path],
    out: str | Path,
    dictionary: DictionarySettings,
    *,
    names: str = "en",
    match_case: bool = False,
    text_field: str = "text",
    force: bool = False,
) -> LinkedCorpus:
    """Mark the words of a dictionary in text.

    Args:
        texts: Files of text; each line is a document.
        out: The file to write: .jsonl, .jsonl.gz or .parquet.
        dictionary: Pairs of a word of the text and its translation.
        names: The code of the translations' language.
        match_case: Whether a word must have the dictionary's capitals.
        text_field: The field or column that holds the text.
        force: Replace the file if it exists.

    Raises:
        LexigraftError: A missing or broken file, or no word of the dictionary in the text.
    """
    out = Path(out)
    if out.exists() and not force:
        raise LexigraftError("output file exists", out, "Choose another --out, or pass --force to replace it")
    pairs = load_dictionary(dictionary)
    corpus = load_corpus(list(texts), text_field=text_field)
    linker = DictionaryLinker(pairs, names, match_case)
    counts = {"linked_documents": 0, "anchors": 0}

    def counted() -> Iterator[AnnotatedText]:
        for document in linker.link(corpus.lines):
            counts["linked_documents"] += bool(document.anchors)
            counts["anchors"] += len(document.anchors)
            yield document
        if not counts["anchors"]:
            known = ", ".join(word for word, _ in islice(pairs.pairs, 5))
            shown = f"dictionary: {known}; text: {corpus.lines[0][:80]}"
            raise LexigraftError("no word of the dictionary is in the text", shown, "Swap its columns with --reverse")

    documents = write_annotated(out, counted())
    return LinkedCorpus(out, documents, **counts, entries=len(pairs), matched_entries=len(linker.matched))
