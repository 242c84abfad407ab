"""Tokenizers measured side by side on a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lexigraft.core.data.aligned_lines import read_aligned
from lexigraft.core.data.corpus import load_corpus
from lexigraft.core.tokenization.measures.parity import Parity, measure_parity
from lexigraft.core.tokenization.measures.tokenizer_measures import TokenizerMeasures, measure_tokenizer
from lexigraft.core.tokenization.measures.word_measures import SHARE_WITHOUT_SPACES, share_without_spaces

Paths = Sequence[str | Path]


@dataclass(frozen=True)
class TokenizerReport:
    """Tokenizers on a text.

    Attributes:
        lines: Lines of the text.
        bytes: Its UTF-8 bytes.
        tokenizers: The figures of each tokenizer, by the name it was given by.
        lengths: Its tokens over those of the first tokenizer.
        parity: Its parity on parallel text; empty where none was given.
        languages: The files of the parallel text.
        warnings: What the figures hide.
    """

    lines: int
    bytes: int
    tokenizers: dict[str, TokenizerMeasures]
    lengths: dict[str, float]
    parity: dict[str, Parity]
    languages: tuple[str, ...]
    warnings: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def report_tokenizers(tokenizers: Paths, corpus: Paths, *, parallel: Paths = ()) -> TokenizerReport:
    """Measure tokenizers on a text.

    Args:
        tokenizers: Folders, tokenizer files or Hub names; the first is what the others are compared with.
        corpus: Files of text.
        parallel: Files of the same content in several languages, line by line.

    Returns:
        The figures.

    Raises:
        LexigraftError: Anything wrong with the inputs.
    """
    from lexigraft.core.tokenization.files.loading import load_vocabulary

    text = load_corpus(list(corpus))
    languages = read_aligned(parallel) if parallel else []
    vocabularies = {str(path): load_vocabulary(path) for path in tokenizers}
    measures = {name: measure_tokenizer(vocabulary, text.lines) for name, vocabulary in vocabularies.items()}
    first = next(iter(measures.values())).tokens
    return TokenizerReport(
        lines=len(text),
        bytes=text.bytes,
        tokenizers=measures,
        lengths={name: one.tokens / first for name, one in measures.items()},
        parity={name: measure_parity(one, languages) for name, one in vocabularies.items() if languages},
        languages=tuple(map(str, parallel)),
        warnings=(*_spaces_warning(text.lines), *_mark_warnings(measures)),
    )


def _spaces_warning(lines: Sequence[str]) -> list[str]:
    share = share_without_spaces(lines)
    if share < SHARE_WITHOUT_SPACES:
        return []
    return [
        f"{share:.0%} of the letters belong to scripts without spaces between words: fertility, single-token words and "
        "continued words are undefined"
    ]


def _mark_warnings(measures: dict[str, TokenizerMeasures]) -> list[str]:
    return [
        f"{name}: its pre-tokenizer parts letters from their marks, so the text takes {one.pre_token_floor:,} tokens "
        f"or more; were marks kept, the floor would be {one.mark_aware_floor:,}"
        for name, one in measures.items()
        if one.mark_aware_floor is not None and one.mark_aware_floor < one.pre_token_floor
    ]
