"""Alignment of two languages' word vector spaces by an orthogonal map (Procrustes) fitted on a dictionary."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lexigraft.core.data.dictionary import Dictionary
from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.resources import StaticVectors, WordSpace, WordVectors
from lexigraft.core.grafting.strategy import Journal
from lexigraft.core.linalg.linear_maps import procrustes

if TYPE_CHECKING:
    import torch

PRINCIPAL_WORDS = 100_000


def in_one_space(
    source: StaticVectors, target: StaticVectors, words: WordVectors, pairs: Dictionary | None, journal: Journal
) -> tuple[torch.Tensor, torch.Tensor]:
    """Vectors of the tokens of both vocabularies in the target language's space.

    With a dictionary the wider space is first reduced to the other's width by its principal axes; then the source
    space is rotated: ``R = argmin |X R - Y|`` over orthogonal maps, for the vectors X, Y of the dictionary's pairs.
    (The `wechsel` package reduces the source space also where the target space is the wider one.)
    Source: WECHSEL (Minixhofer et al. 2022), section 3.

    Args:
        source: Vectors of the source tokens, in the source language's space.
        target: Vectors of the target tokens, in the target language's space.
        words: The spaces.
        pairs: The dictionary, source words first; without one both must lie in one space already.
        journal: Gets a note when the dictionary is small.

    Returns:
        float32, ``(source, dim)`` and ``(target, dim)``.

    Raises:
        LexigraftError: Two spaces and no dictionary, or a dictionary without a pair of known words.
    """
    if pairs is None:
        if not words.shared:
            raise LexigraftError(
                "the word vectors of the two languages lie in two spaces",
                hint="Align them with a dictionary (align: dictionary), or say that they share one (shared: true)",
            )
        return source.vectors, target.vectors
    width = min(words.source.vectors.shape[1], words.target.vectors.shape[1])
    ours, theirs = (_principal(space.vectors, width) for space in (words.source, words.target))
    left, right = paired_words(words.source, words.target, pairs)
    different = len(set(zip(left.tolist(), right.tolist(), strict=True)))
    if different < width:
        journal.note(
            f"The dictionary has {different:,} pairs of words with vectors for {width} dimensions: the spaces are "
            "aligned only in part."
        )
    x, y = words.source.vectors[left] @ ours, words.target.vectors[right] @ theirs
    # In double precision: small singular values, which every real dictionary leaves, decide parts of the rotation.
    rotation = procrustes(x.double(), y.double(), center=False)
    return (source.vectors @ ours) @ rotation.weight.float(), target.vectors @ theirs


def paired_words(source: WordSpace, target: WordSpace, pairs: Dictionary) -> tuple[torch.Tensor, torch.Tensor]:
    """Positions of the words of every dictionary pair, in every casing that both spaces contain.

    A pair counts once for each of 3 x 3 casings (unchanged, lower case, title case), so a pair of lower-case words
    counts four times and its title forms less. Source: the `wechsel` package; the paper does not specify it.

    Args:
        source: The source language's space.
        target: The target language's space.
        pairs: Word pairs, source first.

    Returns:
        Positions in the source and in the target space, int64, both ``(found,)``.

    Raises:
        LexigraftError: No pair is known to both.
    """
    import torch

    ours, theirs = ({word: n for n, word in reversed(list(enumerate(s.words)))} for s in (source, target))
    found = [
        (ours[left], theirs[right])
        for one, two in pairs.pairs
        for left in (one, one.lower(), one.title())
        if left in ours
        for right in (two, two.lower(), two.title())
        if right in theirs
    ]
    if not found:
        raise LexigraftError(
            "no pair of the dictionary has word vectors on both sides",
            f"{len(pairs):,} pairs, {len(ours):,} source words, {len(theirs):,} target words",
            "Check the dictionary's direction (reverse: true turns it around) and its languages",
        )
    positions = torch.from_numpy(np.array(found, np.int64))
    return positions[:, 0], positions[:, 1]


def _principal(vectors: torch.Tensor, width: int) -> torch.Tensor:
    """The ``width`` principal axes of word vectors, ``(dim, width)``: the identity where they are no wider.

    Vectors are projected without centering, so that a mean of vectors is projected to the mean of their projections.
    """
    import torch

    if vectors.shape[1] == width:
        return torch.eye(width)
    frequent = vectors[:PRINCIPAL_WORDS].double()
    _, axes = torch.linalg.eigh(torch.cov(frequent.T))
    return axes[:, -width:].flip(1).float()
