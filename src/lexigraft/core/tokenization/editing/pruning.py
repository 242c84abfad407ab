"""Pruning: the tokens that a text needs least are dropped, and every other token stays reachable."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.bpe_merges import merges
from lexigraft.core.tokenization.editing.needed_tokens import needed_tokens
from lexigraft.core.tokenization.editing.renumbering import with_tokens
from lexigraft.core.tokenization.surface import component
from lexigraft.core.tokenization.token_counts import token_counts
from lexigraft.core.tokenization.vocabulary import Vocabulary

Counts = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


def prune(vocabulary: Vocabulary, lines: Sequence[str], keep: int | None = None) -> Vocabulary:
    """Drop the tokens that a text needs least.

    BPE loses leaves only, tokens that no merge goes on from, so that the others are merged as before (after Purason et
    al. 2025); what a leaf stood for counts for its parts then. Unigram and WordPiece lose the least frequent tokens, of
    equally frequent ones those of lower score first, or the longer ones. Byte, special and added tokens stay, and the
    characters that the text needs.

    Args:
        vocabulary: The vocabulary.
        lines: Text of every language that is to stay.
        keep: How many tokens stay; ``None`` drops those that the text does not use, which leaves its segmentation.

    Returns:
        The smaller vocabulary; its tokens are in the same order.

    Raises:
        LexigraftError: ``keep`` is below what must stay or not below the size, nothing is unused, or the tokenizer is
            neither BPE nor Unigram nor WordPiece.
    """
    check_prunable(vocabulary, keep)
    kind = type(vocabulary.tokenizer.backend_tokenizer.model).__name__
    size = sum(map(bool, vocabulary.tokens))
    counts = token_counts(vocabulary, lines)
    needed = needed_tokens(vocabulary, lines, counts)
    drop = list(_least_used(vocabulary, counts, needed, kind, None if keep is None else size - keep))
    if keep is not None and len(drop) < size - keep:
        hint = f"Keep {size - len(drop):,} or more: bytes, special tokens and the characters of the text stay"
        raise LexigraftError("fewer tokens than must stay", keep, hint)
    if not drop:
        raise LexigraftError("no token can be dropped", f"{size:,} tokens", "The text uses all of them")
    dropped = frozenset(drop)
    return with_tokens(vocabulary, [i for i, token in enumerate(vocabulary.tokens) if token and i not in dropped])


def check_prunable(vocabulary: Vocabulary, keep: int | None = None) -> None:
    """Refuse a vocabulary that is not pruned, or not to so many tokens.

    Raises:
        LexigraftError: ``keep`` is not below the size, or the tokenizer is neither BPE nor Unigram nor WordPiece.
    """
    kind = type(vocabulary.tokenizer.backend_tokenizer.model).__name__
    if kind not in ("BPE", "Unigram", "WordPiece"):
        raise LexigraftError("tokenizers of this kind are not pruned", kind, "BPE, Unigram and WordPiece are")
    size = sum(map(bool, vocabulary.tokens))
    if keep is not None and keep >= size:
        raise LexigraftError("the number of tokens to keep is not below the size", keep, f"There are {size:,} tokens")


def _least_used(vocabulary: Vocabulary, counts: Counts, needed: Mask, kind: str, number: int | None) -> Iterator[int]:
    """The ids to drop, in order: ``number`` of them where there are so many, or all that are unused."""
    for n, (count, i) in enumerate(in_dropping_order(vocabulary, counts, needed, kind)):
        if n == number or (number is None and count > 0):
            return
        yield i


def in_dropping_order(vocabulary: Vocabulary, counts: Counts, needed: Mask, kind: str) -> Iterator[tuple[int, int]]:
    """Token after token with its count, least useful first: leaves of BPE, single tokens of the other kinds."""
    return _leaves(vocabulary, counts, needed) if kind == "BPE" else _ranked(vocabulary, counts, needed)


def _leaves(vocabulary: Vocabulary, counts: Counts, needed: Mask) -> Iterator[tuple[int, int]]:
    """Leaf after leaf with its count, least frequent and latest first, each dropped before the next is chosen."""
    pairs = merges(vocabulary)
    users: defaultdict[int, set[int]] = defaultdict(set)
    for merged, parts in pairs.items():
        for part in {part for pair in parts for part in pair}:
            users[part].add(merged)
    current = counts.tolist()
    heap = [(current[i], -i) for i, token in enumerate(vocabulary.tokens) if token and not needed[i] and not users[i]]
    heapq.heapify(heap)
    while heap:
        count, negative = heapq.heappop(heap)
        leaf = -negative
        yield count, leaf
        made = pairs.get(leaf, [])
        for part in made[0] if made else ():
            current[part] += count
        for part in {part for pair in made for part in pair}:
            users[part].discard(leaf)
            if not users[part] and not needed[part]:
                heapq.heappush(heap, (current[part], -part))


def _ranked(vocabulary: Vocabulary, counts: Counts, needed: Mask) -> Iterator[tuple[int, int]]:
    """The tokens of Unigram and WordPiece with their counts, in the order in which they are dropped."""
    described = component(vocabulary.tokenizer.backend_tokenizer.model)
    if described["type"] == "Unigram":
        worth = {i: score for i, (_, score) in enumerate(described["vocab"])}
    else:
        worth = {i: -float(len(token)) for i, token in enumerate(vocabulary.tokens)}
    open_ids = [i for i, token in enumerate(vocabulary.tokens) if token and not needed[i]]
    for i in sorted(open_ids, key=lambda i: (counts[i], worth[i], -i)):
        yield int(counts[i]), i
