"""Sequences of a tagger, with the piece that each word is read at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from lexigraft.core.evaluation.frames import Frame
from lexigraft.core.evaluation.scoring import Ids

if TYPE_CHECKING:
    from lexigraft.core.tokenization.vocabulary import Vocabulary

Piece = Literal["first", "last"]


class WordWindow(NamedTuple):
    """A run of words that fits the model.

    Attributes:
        ids: Token ids with special tokens.
        positions: Where each word is read, ``(words,)``.
        sentence: The index of their sentence.
        words: The index of each word in its sentence; words without a piece are in no window.
    """

    ids: Ids
    positions: Ids
    sentence: int
    words: Ids


def word_windows(
    vocabulary: Vocabulary, sentences: Sequence[Sequence[str]], frame: Frame, context: int, piece: Piece
) -> tuple[list[WordWindow], list[Ids]]:
    """Tokenize sentences as running text, their words with a space between them.

    A sentence that is longer than the context is cut between words into several windows; of a word that alone is
    longer, only the first pieces are kept.

    Args:
        vocabulary: The tokenizer.
        sentences: The words of each sentence.
        frame: Special tokens around a window.
        context: The longest input, special tokens included.
        piece: Whether a word is read at its first or its last piece.

    Returns:
        The windows, and for each sentence the words that the tokenizer cannot express: those without a piece, or with
        unknown pieces only.
    """
    unknown = vocabulary.specials.get("unk")
    texts, starts = [], []
    for words in sentences:
        # A word with a space inside is one word here.
        joined = [" ".join(word.split()) for word in words]
        starts.append(np.cumsum([0, *(len(word) + 1 for word in joined)])[:-1])
        texts.append(" ".join(joined))
    encodings = vocabulary.tokenizer.backend_tokenizer.encode_batch(texts, add_special_tokens=False)
    windows: list[WordWindow] = []
    lost: list[Ids] = []
    for sentence, (text, begins, encoding) in enumerate(zip(texts, starts, encodings, strict=True)):
        ids, owners = np.array(encoding.ids, np.int64), _owners(text, begins, encoding.offsets)
        known = np.unique(owners[ids != unknown])
        lost.append(np.setdiff1d(np.arange(len(begins)), known))
        windows += _windows(ids, owners, frame, context - frame.length, piece, sentence)
    return windows, lost


def _owners(text: str, begins: Ids, offsets: Sequence[tuple[int, int]]) -> Ids:
    """The word of each piece; a space belongs to the word that follows it, as in "▁word" and "Ġword"."""
    spans = np.array(offsets, np.int64).reshape(-1, 2)
    space = np.fromiter((c == " " for c in text), np.bool_, len(text))
    first = np.minimum(spans[:, 0], len(text) - 1)
    return np.maximum.accumulate(np.searchsorted(begins, first + space[first], side="right") - 1)


def _windows(ids: Ids, owners: Ids, frame: Frame, most: int, piece: Piece, sentence: int) -> list[WordWindow]:
    windows = []
    start = 0
    while start < len(ids):
        end = next_start = min(len(ids), start + most)
        if end < len(ids) and owners[end] == owners[end - 1]:
            if owners[end] != owners[start]:
                end = next_start = start + int(np.searchsorted(owners[start:end], owners[end]))
            else:
                next_start = int(np.searchsorted(owners, owners[start], side="right"))
        words, firsts, counts = np.unique(owners[start:end], return_index=True, return_counts=True)
        read = firsts if piece == "first" else firsts + counts - 1
        window = np.concatenate([frame.first, ids[start:end], frame.last])
        windows.append(WordWindow(window, read + len(frame.first), sentence, words))
        start = next_start
    return windows
