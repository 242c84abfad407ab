"""A dictionary in figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lexigraft.api.dictionary.build import BuildSettings, read_dictionary
from lexigraft.core.data.dictionary import Dictionary
from lexigraft.core.data.dictionary_formats.reading import Format


@dataclass(frozen=True)
class DictionaryFacts:
    """A dictionary and its columns in figures.

    Attributes:
        dictionary: The entries.
        columns: For ``source`` and ``target``: ``words`` and those ``of_several_words``; under ``tokenizer`` and
            ``corpus`` what the words reach there (see :mod:`lexigraft.api.dictionary.coverage`).
    """

    dictionary: Dictionary
    columns: Mapping[str, Mapping[str, Mapping[str, int]]]

    def as_json(self, entries: int) -> dict[str, Any]:
        """Plain values, with the first entries."""
        made = self.dictionary
        weights = made.weights or (None,) * len(made)
        first = [[*pair, weight] for pair, weight in zip(made.pairs[:entries], weights, strict=False)]
        return {"entries": len(made), "rejected": made.rejected, **self.columns, "first": first}


def dictionary_facts(
    file: str | Path,
    *,
    format: Format | None = None,
    languages: tuple[str, str] | None = None,
    tokenizer: str | None = None,
    corpus: Sequence[str | Path] = (),
    text_field: str = "text",
) -> DictionaryFacts:
    """Read a dictionary of any format and count its columns.

    Args:
        file: The dictionary.
        format: Its format; by its name where not given.
        languages: The two languages of a PanLex-like file.
        tokenizer: A folder, file or Hub name.
        corpus: Files of text.
        text_field: The field or column that holds the text.

    Raises:
        LexigraftError: A file that cannot be read.
    """
    from lexigraft.api.dictionary.coverage import text_coverage, tokenizer_coverage

    made = read_dictionary(file, BuildSettings(format=format, languages=languages))
    columns: dict[str, dict[str, dict[str, int]]] = {}
    for n, side in enumerate(("source", "target")):
        words = list(dict.fromkeys(pair[n] for pair in made.pairs))
        several = sum(len(word.split()) > 1 for word in words)
        columns[side] = {"words": {"words": len(words), "of_several_words": several}}
        if tokenizer is not None:
            from lexigraft.core.tokenization.files.loading import load_vocabulary

            columns[side]["tokenizer"] = asdict(tokenizer_coverage(load_vocabulary(tokenizer), words))
        if corpus:
            from lexigraft.core.data.corpus import load_corpus

            lines = load_corpus(list(corpus), text_field=text_field, deduplicate=False).lines
            columns[side]["corpus"] = asdict(text_coverage(lines, words))
    return DictionaryFacts(made, columns)
