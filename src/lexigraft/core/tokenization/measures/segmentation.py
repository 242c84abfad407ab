"""The segmentation of lines for people: each token's part of the text, or the bytes that it has of a character."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from lexigraft.core.tokenization.offsets import token_spans
from lexigraft.core.tokenization.surface import Kind
from lexigraft.core.tokenization.unknown_tokens import unknown_ids
from lexigraft.core.tokenization.vocabulary import Vocabulary


class Piece(NamedTuple):
    """A part of a line.

    Attributes:
        text: What it covers; bytes of a part of a character in hexadecimal; a token's string where it covers nothing.
        kind: ``text``, ``byte``, ``unknown``, or ``between`` for text that belongs to no token.
    """

    text: str
    kind: Literal["text", "byte", "unknown", "between"]


def segmented(vocabulary: Vocabulary, lines: Sequence[str]) -> Iterator[list[Piece]]:
    """Cut lines into the parts that tokens cover, and what is between them.

    Args:
        vocabulary: The vocabulary that cuts.
        lines: Text.

    Yields:
        One line's parts, in order.
    """
    unknown, kinds = set(unknown_ids(vocabulary)), vocabulary.surfaces.kinds
    for line, (ids, starts, ends) in zip(lines, token_spans(vocabulary, lines), strict=True):
        data = line.encode("utf-8", "surrogatepass")
        pieces: list[Piece] = []
        at = 0
        for i, start, end in zip(ids.tolist(), starts.tolist(), ends.tolist(), strict=True):
            if start > at:
                pieces.append(Piece(data[at:start].decode(errors="replace"), "between"))
            at = max(at, end)
            text, is_whole = _shown(data[start:end]) if end > start else (vocabulary.tokens[i], True)
            by_byte = not is_whole or kinds[i] == Kind.BYTE
            pieces.append(Piece(text, "unknown" if i in unknown else "byte" if by_byte else "text"))
        if at < len(data):
            pieces.append(Piece(data[at:].decode(errors="replace"), "between"))
        yield pieces


def _shown(data: bytes) -> tuple[str, bool]:
    try:
        return data.decode(), True
    except UnicodeDecodeError:
        return data.hex(" ").upper(), False
