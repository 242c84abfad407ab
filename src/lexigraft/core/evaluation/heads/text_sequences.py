"""Sequences of whole texts or pairs of texts, with special tokens around them, cut to a length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.frames import Frame
from lexigraft.core.evaluation.line_tokens import tokenize_lines
from lexigraft.core.evaluation.scoring import Ids

if TYPE_CHECKING:
    from lexigraft.core.tokenization.vocabulary import Vocabulary


class TextSequence(NamedTuple):
    """A text or a pair of texts.

    Attributes:
        ids: Token ids with special tokens.
        positions: The positions of the texts' own tokens; of the special tokens where the texts have none.
        second: Where the second text begins; behind the end where there is none.
    """

    ids: Ids
    positions: Ids
    second: int


class TextSequences(NamedTuple):
    """Sequences, how many of them were cut, and the share of the texts' bytes that no known token stands for."""

    sequences: list[TextSequence]
    cut: int
    unknown_share: float


def text_sequences(vocabulary: Vocabulary, items: Sequence[Sequence[str]], frame: Frame, context: int) -> TextSequences:
    """Tokenize texts or pairs of texts.

    Args:
        vocabulary: The tokenizer.
        items: One or two texts each.
        frame: Special tokens around and between them.
        context: The longest input; of a pair the longer text is cut first.

    Raises:
        LexigraftError: Nothing is left of a text, and no special token stands around it.
    """
    lines = tokenize_lines(vocabulary, [text for texts in items for text in texts])
    size = sum(len(text.encode()) for texts in items for text in texts)
    unknown = sum(line.hidden_bytes for line in lines)
    sequences, cut = [], 0
    rest = iter(lines)
    for texts in items:
        parts = [next(rest).ids for _ in texts]
        most = context - frame.length - len(frame.between) * (len(parts) - 1)
        kept = _cut([len(part) for part in parts], most)
        cut += sum(kept) < sum(map(len, parts))
        if not sum(kept) + frame.length:
            raise LexigraftError("the tokenizer makes no token of a text", ascii(texts[0])[:60], "Leave this text out")
        sequences.append(_joined([part[:n] for part, n in zip(parts, kept, strict=True)], frame))
    return TextSequences(sequences, cut, unknown / max(1, size))


def _cut(lengths: Sequence[int], most: int) -> list[int]:
    """The lengths that remain of one or two texts so that they add up to ``most``: the longer one is cut first."""
    if sum(lengths) <= most:
        return list(lengths)
    if len(lengths) == 1:
        return [most]
    shorter = min(*lengths, most // 2)
    return [shorter, most - shorter] if lengths[0] <= lengths[1] else [most - shorter, shorter]


def _joined(parts: Sequence[Ids], frame: Frame) -> TextSequence:
    ids, positions = [frame.first], []
    second = length = len(frame.first)
    for n, part in enumerate(parts):
        if n:
            ids.append(frame.between)
            length += len(frame.between)
            second = length
        positions.append(np.arange(length, length + len(part)))
        ids.append(part)
        length += len(part)
    joined = np.concatenate([*ids, frame.last])
    own = np.concatenate(positions)
    everything = np.arange(len(joined))
    return TextSequence(joined, own if len(own) else everything, second if len(parts) > 1 else len(joined))
