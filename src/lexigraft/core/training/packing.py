"""Text packed into rows of one length, in random order."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lexigraft.core.data.spill import HELD_BYTES, joined_blocks
from lexigraft.core.errors import LexigraftError

if TYPE_CHECKING:
    from lexigraft.core.models.architecture import ModelKind
    from lexigraft.core.tokenization.vocabulary import Vocabulary

_LINES_AT_ONCE = 10_000


@dataclass(frozen=True, eq=False)
class PackedText:
    """Packed token ids.

    Attributes:
        rows: Token ids, int32, ``(rows, sequence_length)``; nothing is padding.
    """

    rows: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.rows)

    def at(self, position: int, seed: int) -> npt.NDArray[np.int32]:
        """The row at a position of the endless order: every epoch is another permutation of all rows."""
        epoch, index = divmod(position, len(self.rows))
        row: npt.NDArray[np.int32] = self.rows[_order(len(self.rows), seed, epoch)[index]]
        return row

    def batches(self, rows_per_batch: int, seed: int, start_step: int = 0) -> Iterator[npt.NDArray[np.int64]]:
        """Endless batches ``(rows_per_batch, sequence_length)``; step n is the same wherever the iteration starts."""
        for step in itertools.count(start_step):
            first = step * rows_per_batch
            yield np.stack([self.at(first + i, seed) for i in range(rows_per_batch)]).astype(np.int64)


@lru_cache(maxsize=4)
def _order(rows: int, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng([seed, epoch]).permutation(rows)


def pack(
    vocabulary: Vocabulary,
    lines: Sequence[str],
    sequence_length: int,
    *,
    kind: ModelKind,
    held_bytes: int = HELD_BYTES,
) -> PackedText:
    """Tokenize lines and join them to rows of one length; an incomplete last row is dropped.

    Masked: every row is framed as ``cls … sep`` and lines are separated by ``sep``. Causal: each line stands between
    ``bos`` and ``eos`` (once, where they are the same token). Encoder-decoder: each line ends with ``eos``. A role that
    the tokenizer does not fill is left out.

    Args:
        vocabulary: The vocabulary to encode with.
        lines: The text, in order.
        sequence_length: Tokens in a row.
        kind: What kind of model will read it.
        held_bytes: Bytes of rows that are held in memory; larger content goes to a temporary file.

    Returns:
        The rows.

    Raises:
        LexigraftError: The text does not fill one row.
    """
    special = vocabulary.specials
    before: list[int] = []
    after: list[int] = []
    frame: tuple[list[int], list[int]] = ([], [])
    if kind == "masked":
        after = _first(special, "sep", "eos")
        frame = (_first(special, "cls", "bos"), after)
    elif kind == "causal":
        after = _first(special, "eos", "bos")
        before = [i for i in _first(special, "bos") if i not in after]
    else:
        after = _first(special, "eos", "sep")
    content = sequence_length - len(frame[0]) - len(frame[1])
    rows = np.zeros(0, np.int32)
    if content > 0:
        blocks = _framed(_blocks(vocabulary, lines, before, after), content, *frame)
        rows = joined_blocks(blocks, held_bytes=held_bytes)
    if not len(rows):
        raise LexigraftError(
            "the corpus is too small to fill one training sequence",
            f"{sum(map(len, _blocks(vocabulary, lines, before, after)))} tokens",
            f"Give more text, or a sequence_length below {sequence_length}",
        )
    return PackedText(rows.reshape(-1, sequence_length))


def _first(special: Mapping[str, int], *roles: str) -> list[int]:
    return next(([special[role]] for role in roles if role in special), [])


def _blocks(
    vocabulary: Vocabulary, lines: Sequence[str], before: list[int], after: list[int]
) -> Iterator[npt.NDArray[np.int32]]:
    for start in range(0, len(lines), _LINES_AT_ONCE):
        encoded = vocabulary.encode(lines[start : start + _LINES_AT_ONCE])
        ids = itertools.chain.from_iterable((*before, *line, *after) for line in encoded)
        yield np.fromiter(ids, np.int32)


def _framed(
    blocks: Iterable[npt.NDArray[np.int32]], content: int, first: list[int], last: list[int]
) -> Iterator[npt.NDArray[np.int32]]:
    """Flattened rows, each with a run of content inside the frame; the rest of a block begins the next one."""
    rest = np.zeros(0, np.int32)
    for block in blocks:
        stream = np.concatenate([rest, block])
        count = len(stream) // content
        rows = np.empty((count, len(first) + content + len(last)), np.int32)
        rows[:, : len(first)] = first
        rows[:, len(first) : len(first) + content] = stream[: count * content].reshape(count, content)
        rows[:, len(first) + content :] = last
        yield rows.ravel()
        rest = stream[count * content :]
