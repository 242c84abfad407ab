"""PPMI vectors of the tokens of two vocabularies over the same context words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.resources import Compass, StaticVectors
from lexigraft.core.methods.cooccurrence import ContextWords
from lexigraft.core.tokenization.token_counts import token_counts

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from lexigraft.core.tokenization.vocabulary import Vocabulary

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class CompassSettings:
    """How a compass is made.

    Five words to either side without the own word, or vectors for rarer tokens: no better
    (`benchmarks/strategies/compass.py`).

    Attributes:
        contexts: How many of the text's most frequent words are contexts.
        window: Words to either side.
        dim: How many directions.
        min_count: Tokens that occur fewer times in the text are absent.
        smoothing: The power of a context's share (see :func:`fit_basis`).
        power: How much the strong directions count (see :func:`project`).
        own_word: Whether the word that contains a token is one of its contexts.
    """

    contexts: int = 10_000
    window: int = 2
    dim: int = 100
    min_count: int = 5
    smoothing: float = 0.75
    power: float = 0.5
    own_word: bool = True


DEFAULT_COMPASS = CompassSettings()


class ContextBasis(NamedTuple):
    """The frozen basis of context words, from a truncated SVD of their PPMI matrix.

    Attributes:
        contexts: Orthonormal context vectors, float32, ``(contexts, dim)``.
        strengths: Singular values, descending, ``(dim,)``.
        shares: How much of all counts each context has, float64, ``(contexts,)``.
    """

    contexts: Floats
    strengths: Floats
    shares: npt.NDArray[np.float64]


def build_compass(
    lines: Sequence[str], source: Vocabulary, target: Vocabulary, settings: CompassSettings = DEFAULT_COMPASS
) -> Compass:
    """Vectors of the tokens of both vocabularies, learned on one text, in one space.

    The contexts are the text's own frequent words. Their positive pointwise mutual information with one another is cut
    to its strongest directions C (Levy & Goldberg 2014), which then stay as they are; every token of either vocabulary
    is projected on them by its own mutual information with the same words and with the word that contains it. So a
    token that occurs at the same positions in both tokenizations gets the same vector in both.

    CADE (Di Carlo et al. 2019) freezes word2vec's output vectors and trains the input vectors against them by gradient
    descent. Here both steps have a closed form: C is orthonormal, so that the projection, ``PPMI(token, contexts) C``,
    is the least-squares answer to ``v C^T = PPMI(token, contexts)``; directions are then weighted by their strength.

    Args:
        lines: Target text.
        source: The source vocabulary.
        target: The target vocabulary.
        settings: How many contexts, how near, and so on.

    Returns:
        float32 vectors, ``(source, dim)`` and ``(target, dim)``.

    Raises:
        LexigraftError: The text has too few words.
    """
    text = ContextWords.of(lines, settings.contexts, settings.window)
    if len(text.words) < 3:
        raise LexigraftError("too little text for a compass", f"{len(text.words)} words", "Give more target text")
    basis = fit_basis(text.beside_words(False), settings.dim, settings.smoothing)
    return Compass(*(_vectors(text, vocabulary, basis, settings) for vocabulary in (source, target)))


def _vectors(
    text: ContextWords, vocabulary: Vocabulary, basis: ContextBasis, settings: CompassSettings
) -> StaticVectors:
    import torch

    vectors = project(text.beside(vocabulary, settings.own_word), basis, settings.power)
    often = token_counts(vocabulary, text.lines) >= settings.min_count
    present = often & (np.abs(vectors).sum(axis=1) > 0)
    vectors[~present] = 0
    return StaticVectors(torch.from_numpy(vectors), present, {"compass": len(text.words)})


def fit_basis(counts: csr_array, dim: int, smoothing: float) -> ContextBasis:
    """Fit the frozen basis: the strongest directions of the context words' mutual information.

    Args:
        counts: Co-occurrence counts of the contexts with each other, ``(contexts, contexts)``.
        dim: How many directions.
        smoothing: The power of a context's share, below 1 so that rare ones count less (Levy, Goldberg & Dagan 2015).
    """
    from scipy.sparse.linalg import svds

    shares = np.asarray(counts.sum(axis=0), np.float64).ravel() ** smoothing
    shares /= shares.sum()
    matrix = association(counts, shares)
    dim = min(dim, min(matrix.shape) - 1)
    _, strengths, right = svds(matrix.astype(np.float32), k=dim, v0=np.ones(min(matrix.shape), np.float32))
    order = np.argsort(-strengths)
    return ContextBasis(np.ascontiguousarray(right[order].T), strengths[order], shares)


def association(counts: csr_array, shares: npt.NDArray[np.float64]) -> csr_array:
    """Positive pointwise mutual information, ``max(0, log(n_tc / (n_t p_c)))``, as ``counts``.

    A context without a share (it never occurs near another context) contributes nothing.
    """
    from scipy.sparse import csr_array

    totals = np.asarray(counts.sum(axis=1), np.float64).ravel()
    rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    expected = totals[rows] * shares[counts.indices]
    values = np.log(np.divide(counts.data, expected, out=np.ones_like(expected), where=expected > 0))
    values = np.maximum(values, 0).astype(np.float32)
    # A copy: dropping the zeros would change the caller's counts, which share their places.
    matrix = csr_array((values, counts.indices, counts.indptr), counts.shape, copy=True)
    matrix.eliminate_zeros()
    return matrix


def project(counts: csr_array, basis: ContextBasis, power: float) -> Floats:
    """Rows projected on the frozen directions: ``M V S^(power - 1)``, for the contexts themselves ``U S^power``.

    Args:
        counts: Co-occurrence counts of each row with the contexts, ``(rows, contexts)``.
        basis: The frozen basis.
        power: How much the strong directions count.
    """
    rows = association(counts, basis.shares) @ basis.contexts
    strengths = np.maximum(basis.strengths, 1e-6 * basis.strengths.max())
    return np.ascontiguousarray(rows * strengths ** (power - 1), dtype=np.float32)
