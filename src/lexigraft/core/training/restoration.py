"""Changed token sequences beside the clean ones, for models that learn to restore."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher

import numpy as np
import numpy.typing as npt

from lexigraft.core.data.spill import joined_blocks
from lexigraft.core.errors import LexigraftError
from lexigraft.core.training.packing import NO_LOSS, PackedText

Ids = Sequence[int]


def replaced(changed: Ids, clean: Ids) -> list[int]:
    """What a masked model reads: the clean tokens, with changed ones where a run of tokens became equally many others.

    Runs are those in which ``difflib`` finds the sequences to differ. A run that became longer or shorter, that was
    put in or left out, is read as it is in the clean sequence. So the result is as long as that, and tokens are to be
    predicted where the two differ.

    Args:
        changed: Token ids of the changed text.
        clean: Token ids of the clean text.
    """
    read = list(clean)
    for kind, a, b, c, d in SequenceMatcher(None, changed, clean, autojunk=False).get_opcodes():
        if kind == "replace" and b - a == d - c:
            read[c:d] = changed[a:b]
    return read


def side_by_side(pairs: Iterable[tuple[Ids, Ids]], length: int, end: int, padding: int) -> PackedText:
    """Rows for encoder-decoders: ``length`` tokens for the encoder, then as many for the decoder.

    A row takes pairs as long as both sides fit; each side of a pair ends with ``end``, and a longer one is cut. What
    is left of a side is padding, which carries the mark ``NO_LOSS``.

    Args:
        pairs: Token ids of changed and of clean text.
        length: Tokens of a side.
        end: The token that ends a text.
        padding: The padding token.

    Returns:
        Rows ``(rows, 2 length)``.

    Raises:
        LexigraftError: There is no pair.
    """
    flat = joined_blocks(_rows(pairs, length, end, padding | NO_LOSS))
    if not len(flat):
        raise LexigraftError("nothing of the text is changed", "0 pairs", "Give more text, or change more of it")
    return PackedText(flat.reshape(-1, 2 * length))


def _rows(pairs: Iterable[tuple[Ids, Ids]], length: int, end: int, padding: int) -> Iterator[npt.NDArray[np.int32]]:
    sides: tuple[list[int], list[int]] = ([], [])
    for pair in pairs:
        ended = [[*ids[: length - 1], end] for ids in pair]
        if any(len(side) + len(new) > length for side, new in zip(sides, ended, strict=True)):
            yield _padded(sides, length, padding)
            sides = ([], [])
        for side, new in zip(sides, ended, strict=True):
            side += new
    if sides[0]:
        yield _padded(sides, length, padding)


def _padded(sides: tuple[list[int], list[int]], length: int, padding: int) -> npt.NDArray[np.int32]:
    row = np.full((2, length), padding, np.int32)
    for place, ids in zip(row, sides, strict=True):
        place[: len(ids)] = ids
    return row.ravel()
