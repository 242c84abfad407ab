"""Tokens of a line, with the word that each belongs to."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from lexigraft.core.tokenization.vocabulary import Vocabulary


class LineTokens(NamedTuple):
    """One line as tokens.

    Attributes:
        ids: Token ids, without special tokens, int64, ``(tokens,)``.
        words: The index of each token's word in the raw line, never decreasing, ``(tokens,)``.
        word_count: Whitespace-separated words in the raw line.
        sizes: UTF-8 bytes of the raw line that each token stands for, float64, ``(tokens,)``: those of the characters
            that it covers (shared equally where several tokens cover one) and of the whitespace before them.
        hidden_bytes: UTF-8 bytes that no known token stands for: under unknown tokens, or dropped altogether.
        lossless: Whether the tokens decode to the line again, whitespace aside.
    """

    ids: npt.NDArray[np.int64]
    words: npt.NDArray[np.int64]
    word_count: int
    sizes: npt.NDArray[np.float64]
    hidden_bytes: int
    lossless: bool


def tokenize_lines(vocabulary: Vocabulary, lines: Sequence[str]) -> list[LineTokens]:
    """Tokenise lines without special tokens; words come from the raw text, the same for every tokenizer."""
    backend = vocabulary.tokenizer.backend_tokenizer
    encodings = backend.encode_batch(list(lines), add_special_tokens=False)
    decoded = backend.decode_batch([e.ids for e in encodings], skip_special_tokens=False)
    unknown = vocabulary.specials.get("unk")
    return [
        _line(line, np.array(e.ids, np.int64), np.array(e.offsets, np.int64).reshape(-1, 2), unknown, text)
        for line, e, text in zip(lines, encodings, decoded, strict=True)
    ]


def _line(
    line: str, ids: npt.NDArray[np.int64], spans: npt.NDArray[np.int64], unknown: int | None, decoded: str
) -> LineTokens:
    space = np.fromiter((c.isspace() for c in line), np.bool_, len(line))
    starts = ~space & np.concatenate([[True], space[:-1]]) if line else space
    count = int(starts.sum())
    # A space belongs to the word that follows it, as in "▁word" and "Ġword".
    word_at = np.minimum(np.cumsum(starts) - 1 + space, count - 1)
    words = word_at[np.minimum(spans[:, 0], len(line) - 1)] if len(ids) else np.empty(0, np.int64)
    shown = np.zeros(len(line) + 1, np.int64)
    np.add.at(shown, spans[:, 0], 1)
    np.add.at(shown, spans[:, 1], -1)
    sharers = np.cumsum(shown)[:-1]
    covered = sharers > 0
    hidden = [c for c in np.flatnonzero(~covered & ~space) if unicodedata.category(line[c])[0] not in "CMZ"]
    lost = sum(len(line[c].encode()) for c in hidden)
    for first, end in spans[ids == unknown] if unknown is not None else ():
        lost += len(line[first:end].strip().encode())
    same = "".join(line.split()) == "".join(decoded.split())
    sizes = _sizes(line, spans, sharers, space & ~covered)
    return LineTokens(ids, np.maximum.accumulate(words).astype(np.int64), count, sizes, lost, same)


def _sizes(
    line: str, spans: npt.NDArray[np.int64], sharers: npt.NDArray[np.int64], between: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Bytes that each token stands for; whitespace between tokens goes to the token after it."""
    of_characters = np.fromiter((len(c.encode()) for c in line), np.float64, len(line))
    shares = np.concatenate([[0.0], np.cumsum(np.where(sharers > 0, of_characters / np.maximum(sharers, 1), 0.0))])
    sizes = shares[spans[:, 1]] - shares[spans[:, 0]]
    places = np.flatnonzero(between)
    after = np.searchsorted(np.maximum.accumulate(spans[:, 0]), places, side="right")
    np.add.at(sizes, after[after < len(sizes)], of_characters[places[after < len(sizes)]])
    return sizes


def unknown_share(vocabulary: Vocabulary, lines: Sequence[str]) -> float:
    """The share of the lines' UTF-8 bytes that no known token stands for; 0 without text."""
    hidden = sum(line.hidden_bytes for line in tokenize_lines(vocabulary, lines))
    return hidden / max(1, sum(len(line.encode()) for line in lines))


def unknown_warning(side: str, share: float) -> tuple[str, ...]:
    """A sentence about text that the tokenizer cannot express, where that is more than a tenth of it."""
    return (f"The tokenizer has no token for {share:.0%} of the {side} text: its vectors say little.",) * (share > 0.1)
