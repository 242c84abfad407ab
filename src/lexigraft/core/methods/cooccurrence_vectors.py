"""Vectors of a vocabulary's tokens from their co-occurrence with each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lexigraft.core.grafting.resources import StaticVectors
from lexigraft.core.methods.compass import DEFAULT_COMPASS, fit_basis, project
from lexigraft.core.methods.word2vec import LINE_END, count_pairs, token_stream
from lexigraft.core.tokenization.vocabulary import Vocabulary


def cooccurrence_vectors(
    vocabulary: Vocabulary, lines: Sequence[str], *, window: int, dim: int, min_count: int
) -> StaticVectors:
    """Vectors of the tokens of a text from their co-occurrence with each other.

    The strongest directions of the positive mutual information of tokens with tokens, weighed as in a compass
    (:func:`lexigraft.core.methods.compass.build_compass`); but each vocabulary has a space of its own.

    Args:
        vocabulary: Splits the text.
        lines: The text.
        window: Reach to each side, in tokens.
        dim: How many directions; fewer where fewer tokens occur.
        min_count: Tokens that occur fewer times are absent, also as neighbors of others.

    Returns:
        float32 vectors, ``(size, dim)``.
    """
    import torch
    from scipy.sparse import csr_array

    usable = vocabulary.surfaces.is_text
    if (unknown := vocabulary.specials.get("unk")) is not None:
        usable[unknown] = False
    stream = token_stream(vocabulary, lines, usable)
    often = np.bincount(stream[stream != LINE_END], minlength=vocabulary.size) >= min_count
    pairs = count_pairs(stream[(stream == LINE_END) | often[stream]], vocabulary.size, window)
    present = pairs.totals > 0
    ids = np.flatnonzero(present)
    vectors = np.zeros((vocabulary.size, min(dim, max(len(ids) - 1, 1))), np.float32)
    if len(ids) < 3:
        return StaticVectors(torch.from_numpy(vectors), np.zeros_like(present), {})
    square = (vocabulary.size, vocabulary.size)
    counts = csr_array((pairs.counts, pairs.contexts, pairs.indptr), square)[ids][:, ids]
    basis = fit_basis(counts, dim, DEFAULT_COMPASS.smoothing)
    vectors[ids] = project(counts, basis, DEFAULT_COMPASS.power)
    present &= np.abs(vectors).sum(axis=1) > 0
    return StaticVectors(torch.from_numpy(vectors), present, {"window": window, "min_count": min_count})
