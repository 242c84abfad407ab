"""How a vocabulary's tokens are built of two smaller ones, and rows that follow from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from lexigraft.core.spellings import spelled, tokens_by_spelling
from lexigraft.core.surface import Kind, component
from lexigraft.core.vocabulary import Vocabulary

Pair = tuple[int, int]
Shares = Mapping[int, float]


def parents(vocabulary: Vocabulary) -> dict[int, list[Pair]]:
    """Every pair of tokens that a token is made of.

    They are the merges of a BPE tokenizer. A token that no merge makes (an added one; every token of Unigram and
    WordPiece) has all splits of its spelling into two tokens of the vocabulary instead, word start kept.

    Returns:
        Pairs by token id; tokens that nothing makes are left out.
    """
    pairs = _merges(vocabulary)
    known = tokens_by_spelling(vocabulary)
    for i, data in spelled(vocabulary).items():
        if i not in pairs:
            halves = ((data[:cut], data[cut:]) for cut in range(1, len(data)))
            found = [(known[left], known[right]) for left, right in halves if left in known and right in known]
            if found:
                pairs[i] = found
    return pairs


def _merges(vocabulary: Vocabulary) -> dict[int, list[Pair]]:
    model = component(vocabulary.tokenizer.backend_tokenizer.model)
    prefix = model.get("continuing_subword_prefix") or ""
    pairs: dict[int, list[Pair]] = {}
    for merge in model.get("merges") or []:
        left, right = merge.split(" ") if isinstance(merge, str) else merge
        found = [vocabulary.id_of(t) for t in (left + right.removeprefix(prefix), left, right)]
        made, first, second = found
        if made is not None and first is not None and second is not None:
            pairs.setdefault(made, []).append((first, second))
    return pairs


def shares_of_leaves(vocabulary: Vocabulary, twins: npt.NDArray[np.int64]) -> list[Shares]:
    """Each token as a mixture of source rows, following its merges down to tokens that have a twin.

    A token with a twin is that twin. Another is the mean over its pairs, each the mean of its two parents; a pair of
    which one parent cannot be made does not count.

    Args:
        vocabulary: The target vocabulary.
        twins: Source id of each token's twin, or -1, shape ``(size,)``.

    Returns:
        Weights by source id for each token, summing to 1; empty for a token that cannot be made.
    """
    usable = np.isin(vocabulary.surfaces.kinds, (Kind.TEXT, Kind.BYTE))
    made: list[Shares] = [
        {twin: 1.0} if here and twin >= 0 else {} for here, twin in zip(usable, twins.tolist(), strict=True)
    ]
    lengths = [len(text) + int(s) for text, s in zip(vocabulary.surfaces.texts, vocabulary.starts, strict=True)]
    pairs = parents(vocabulary)
    for i in sorted(pairs, key=lambda i: (lengths[i], i)):
        if usable[i] and not made[i]:
            shorter = [(a, b) for a, b in pairs[i] if max(lengths[a], lengths[b]) < lengths[i]]
            made[i] = _mean([(made[a], made[b]) for a, b in shorter if made[a] and made[b]])
    return made


def _mean(pairs: Sequence[tuple[Shares, Shares]]) -> Shares:
    shares: dict[int, float] = {}
    for pair in pairs:
        for parent in pair:
            for i, weight in parent.items():
                shares[i] = shares.get(i, 0.0) + weight / (2 * len(pairs))
    return shares
