"""Byte offsets of the tokens of a line, and the grouping of tokens into words."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from lexigraft.core.tokenization.vocabulary import Vocabulary

BATCH_LINES = 2048
UNSPACED = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3040, 0x30FF),
    (0x3400, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF),
)  # fmt: skip
"""Thai and Lao, Burmese, Khmer, kana and Han: scripts that put no space between words."""


class TokenSpans(NamedTuple):
    """The tokens of one line.

    Attributes:
        ids: Token ids, without special tokens, int64, ``(tokens,)``.
        starts: First byte of each token in the line's UTF-8, int64, ``(tokens,)``.
        ends: The byte after its last, as ``starts``; equal to its start for a token that covers no text.
    """

    ids: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]


def token_spans(vocabulary: Vocabulary, lines: Sequence[str]) -> Iterator[TokenSpans]:
    """Tokenize lines and find the bytes that each token covers, also where several tokens share a character.

    A word-start space belongs to the token that holds it. Where the normalizer changed the length of a shared
    character, its tokens keep the whole character.

    Args:
        vocabulary: The vocabulary to encode with.
        lines: Raw text.

    Yields:
        One line's tokens.
    """
    for line, ids, spans in token_characters(vocabulary, lines):
        bounds = byte_positions(line)[spans]
        starts, ends = bounds[:, 0].copy(), bounds[:, 1].copy()
        _divide(vocabulary, line, ids, starts, ends)
        yield TokenSpans(ids, starts, ends)


def token_characters(
    vocabulary: Vocabulary, lines: Sequence[str]
) -> Iterator[tuple[str, npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Tokenize lines and find the characters that each token covers, whole ones where several tokens share a character.

    Args:
        vocabulary: The vocabulary to encode with.
        lines: Raw text.

    Yields:
        The line, token ids without special tokens, int64 ``(tokens,)``, and first and last characters ``(tokens, 2)``.
    """
    backend = vocabulary.tokenizer.backend_tokenizer
    for start in range(0, len(lines), BATCH_LINES):
        batch = list(lines[start : start + BATCH_LINES])
        for line, encoding in zip(batch, backend.encode_batch(batch, add_special_tokens=False), strict=True):
            yield line, np.array(encoding.ids, np.int64), np.array(encoding.offsets, np.int64).reshape(-1, 2)


class WordUnits(NamedTuple):
    """The words of one line, as tokens.

    Attributes:
        tokens: The token ids of each word, without special and unknown ones; never empty.
        texts: Each word as written in the line, without surrounding white space.
    """

    tokens: list[tuple[int, ...]]
    texts: list[str]


def word_units(vocabulary: Vocabulary, lines: Sequence[str]) -> Iterator[WordUnits]:
    """Split lines into words, each a run of tokens: adjacent letters form a word, other characters are separate.

    Two neighbouring tokens belong to one word where they meet between two letters or inside a character, or where the
    first is only the mark of a word start. In scripts written without spaces every token is a word. The units of
    trans-tokenization (Remy et al. 2024), which joins the tokens of a word before it aligns words.

    Args:
        vocabulary: The vocabulary to encode with.
        lines: Raw text.

    Yields:
        One line's words.
    """
    unknown = vocabulary.specials.get("unk")
    left_out = vocabulary.special_ids | ({unknown} if unknown is not None else set())
    for line, ids, spans in token_characters(vocabulary, lines):
        tokens: list[tuple[int, ...]] = []
        texts: list[str] = []
        first = 0
        for n in range(1, len(ids) + 1):
            if n < len(ids) and _one_word(line, spans[n - 1].tolist(), spans[n].tolist()):
                continue
            kept = tuple(i for i in ids[first:n].tolist() if i not in left_out)
            text = line[spans[first, 0] : spans[n - 1, 1]].strip()
            if kept and text:
                tokens.append(kept)
                texts.append(text)
            first = n
        yield WordUnits(tokens, texts)


def byte_positions(line: str) -> npt.NDArray[np.int64]:
    """The byte at which each character begins, and the line's length in bytes, ``(characters + 1,)``."""
    if line.isascii():
        return np.arange(len(line) + 1)
    codes = np.frombuffer(line.encode("utf-32-le", "surrogatepass"), np.uint32)
    widths = 1 + (codes > 0x7F) + (codes > 0x7FF) + (codes > 0xFFFF)
    return np.concatenate([[0], np.cumsum(widths)]).astype(np.int64)


def _divide(
    vocabulary: Vocabulary,
    line: str,
    ids: npt.NDArray[np.int64],
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
) -> None:
    """Divide the bytes of a character among the tokens that share it, by the tokens' own lengths.

    A single unknown token among them, which spells nothing, takes the bytes that the others leave.
    """
    shared = np.flatnonzero(starts[1:] < ends[:-1]) + 1
    if not len(shared):
        return
    data = line.encode("utf-8", "surrogatepass")
    texts, marked, special = vocabulary.surfaces.texts, vocabulary.starts, vocabulary.special_ids
    runs = np.split(shared, np.flatnonzero(np.diff(shared) > 1) + 1)
    for first, last in ((int(run[0]) - 1, int(run[-1])) for run in runs):
        own, start = ids[first : last + 1].tolist(), int(starts[first])
        spaced = data[start : start + 1] == b" " and bool(marked[own[0]])
        lengths = [0 if i in special else len(texts[i]) for i in own]
        lengths[0] += spaced
        rest = int(ends[last]) - start - sum(lengths)
        if rest and (unknown := [n for n, i in enumerate(own) if i in special]):
            lengths[unknown[0]] += rest if len(unknown) == 1 else 0
        borders = start + np.cumsum(lengths)
        if borders[-1] == ends[last] and (np.diff(borders) >= 0).all():
            ends[first : last + 1] = borders
            starts[first + 1 : last + 1] = borders[:-1]


def _one_word(line: str, left: list[int], right: list[int]) -> bool:
    if right[0] < left[1]:
        return True
    if right[0] > left[1] or right[0] == right[1]:
        return False
    if line[left[0] : left[1]].isspace() or left[0] == left[1]:
        return not line[right[0]].isspace()
    return _letter(line[right[0] - 1]) and _letter(line[right[0]])


def _letter(character: str) -> bool:
    code = ord(character)
    return unicodedata.category(character)[0] in "LM" and not any(a <= code <= b for a, b in UNSPACED)
