"""Text packed into rows of one length, in random order."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from lexigraft.core.data.spill import HELD_BYTES, joined_blocks
from lexigraft.core.errors import LexigraftError

if TYPE_CHECKING:
    from lexigraft.core.models.architecture import ModelKind
    from lexigraft.core.tokenization.vocabulary import Vocabulary

_LINES_AT_ONCE = 10_000
NO_LOSS, DOCUMENT_START, ENTITY, ENTITY_START = 1 << 30, 1 << 29, 1 << 28, 1 << 27
"""Marks in packed ids, above every id: the token is not predicted; it is the first one of a document; it belongs to an
entity; it is the first one of that."""

Documents = Literal["separated", "joined", "reset"]
"""How documents meet in a row: special tokens between them, nothing between them, or special tokens and another
document's tokens out of sight, positions counted anew."""

Encode = Callable[[Sequence[str]], Iterable[Sequence[int]]]


class TrainingText(Protocol):
    """Packed text in an endless, restartable order."""

    def at(self, position: int, seed: int) -> npt.NDArray[np.int32]:
        """The row at a position of the endless order."""


class Unmarked(NamedTuple):
    """Packed ids apart from their marks, each of the same shape.

    Attributes:
        ids: Token ids, int64.
        loss: Which tokens may be predicted.
        starts: Which tokens are the first of a document.
        entities: The number of the entity that each token belongs to, from 1 in every row, int64; 0 for none.
    """

    ids: npt.NDArray[np.int64]
    loss: npt.NDArray[np.bool_]
    starts: npt.NDArray[np.bool_]
    entities: npt.NDArray[np.int64]

    @classmethod
    def of(cls, marked: npt.NDArray[np.int32]) -> Unmarked:
        """Take the marks off packed ids."""
        ids = (marked & (ENTITY_START - 1)).astype(np.int64)
        inside = marked & ENTITY != 0
        begins = inside & (marked & ENTITY_START != 0)
        begins[..., 0] = inside[..., 0]  # a row may begin within an entity
        begins[..., 1:] |= inside[..., 1:] & ~inside[..., :-1]
        entities = np.where(inside, begins.cumsum(-1), 0)
        return cls(ids, marked & NO_LOSS == 0, marked & DOCUMENT_START != 0, entities)


@dataclass(frozen=True, eq=False)
class PackedText:
    """Packed token ids.

    Attributes:
        rows: Token ids, int32, ``(rows, sequence_length)``; nothing is padding. Where text was packed with marks they
            carry them, see :class:`Unmarked`.
    """

    rows: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.rows)

    def at(self, position: int, seed: int) -> npt.NDArray[np.int32]:
        """The row at a position of the endless order: every epoch is another permutation of all rows."""
        epoch, index = divmod(position, len(self.rows))
        return self.in_epoch(index, seed, epoch)

    def in_epoch(self, index: int, seed: int, epoch: int) -> npt.NDArray[np.int32]:
        """The row at a position of one epoch's permutation."""
        row: npt.NDArray[np.int32] = self.rows[_order(len(self.rows), seed, epoch)[index]]
        return row

    def batches(self, rows_per_batch: int, seed: int, start_step: int = 0) -> Iterator[npt.NDArray[np.int64]]:
        """Endless batches ``(rows_per_batch, sequence_length)``; step n is the same wherever the iteration starts."""
        for step in itertools.count(start_step):
            first = step * rows_per_batch
            yield np.stack([self.at(first + i, seed) for i in range(rows_per_batch)]).astype(np.int64)


@lru_cache(maxsize=8)
def _order(rows: int, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng([seed, epoch]).permutation(rows)


def pack(
    vocabulary: Vocabulary,
    lines: Sequence[str],
    sequence_length: int,
    *,
    kind: ModelKind,
    held_bytes: int = HELD_BYTES,
    documents: Documents = "separated",
    encode: Encode | None = None,
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
        documents: How lines meet in a row: "joined" puts no special token between them, "reset" marks where each
            begins.
        encode: Makes the ids of some lines, marks included; by default the vocabulary's own.

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
    if documents == "joined":
        before, after = [], []
    mark = DOCUMENT_START if documents == "reset" else 0
    blocks = partial(_blocks, encode or vocabulary.encode, lines, before, after, mark)
    content = sequence_length - len(frame[0]) - len(frame[1])
    rows = np.zeros(0, np.int32)
    if content > 0:
        rows = joined_blocks(_framed(blocks(), content, *frame), held_bytes=held_bytes)
    if not len(rows):
        raise LexigraftError(
            "the corpus is too small to fill one training sequence",
            f"{sum(map(len, blocks()))} tokens",
            f"Give more text, or a sequence_length below {sequence_length}",
        )
    return PackedText(rows.reshape(-1, sequence_length))


def _first(special: Mapping[str, int], *roles: str) -> list[int]:
    return next(([special[role]] for role in roles if role in special), [])


def _blocks(
    encode: Encode, lines: Sequence[str], before: list[int], after: list[int], mark: int
) -> Iterator[npt.NDArray[np.int32]]:
    for start in range(0, len(lines), _LINES_AT_ONCE):
        encoded = encode(lines[start : start + _LINES_AT_ONCE])
        framed = ((*before, *line, *after) for line in encoded)
        if mark:
            framed = ((line[0] | mark, *line[1:]) for line in framed if line)
        yield np.fromiter(itertools.chain.from_iterable(framed), np.int32)


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
