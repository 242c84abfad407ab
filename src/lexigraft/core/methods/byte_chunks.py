"""Chunks of text between the byte boundaries that two tokenizations share, and the divergence of their likelihoods."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch

    from lexigraft.core.tokenization.offsets import TokenSpans

_LARGEST_LOG = -1e-6
"""Keeps 1 - p above 0 for a chunk that is certain."""


def common_chunks(
    one: TokenSpans, other: TokenSpans, longest: tuple[int, int]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The chunk that each token of a line belongs to, under two tokenizers.

    A chunk ends where a token of both ends; it is never empty on either side.

    Args:
        one: The line's tokens by one tokenizer.
        other: By the other.
        longest: How many tokens of each are read; chunks that reach further are left out.

    Returns:
        Numbers of chunks from 0, for the tokens of each side; -1 for tokens behind the last chunk.
    """
    sides = [np.maximum.accumulate(side.ends) for side in (one, other)]
    bounds = np.intersect1d(sides[0], sides[1])
    for ends, most in zip(sides, longest, strict=True):
        bounds = bounds[(bounds > 0) & (np.searchsorted(ends, bounds, side="right") <= most)]
    first, second = (np.searchsorted(bounds, ends, side="left") for ends in sides)
    return np.where(first < len(bounds), first, -1), np.where(second < len(bounds), second, -1)


def binary_divergence(teacher: torch.Tensor, student: torch.Tensor, temperature: float) -> torch.Tensor:
    """The Kullback-Leibler divergence of two events: the chunk comes, or it does not.

    ``p = exp(log p / temperature)``; ``p_T log(p_T / p_S) + (1 - p_T) log((1 - p_T) / (1 - p_S))``. It is the binary
    cross-entropy less the teacher's own entropy, so that agreement is 0 and the gradients are the same.

    Args:
        teacher: Log-likelihoods of chunks, ``(chunks,)``.
        student: Those of the student, ``(chunks,)``.
        temperature: Brings unlikely chunks, which all are near 0, apart.

    Returns:
        Nats, ``(chunks,)``.

    Source:
        Minixhofer et al. 2025, "Approximate Likelihood Matching", section 3.
    """
    expected, found = ((log / temperature).clamp(max=_LARGEST_LOG) for log in (teacher.float(), student.float()))
    comes = expected.exp() * (expected - found)
    stays_away = -expected.expm1() * ((-expected.expm1()).log() - (-found.expm1()).log())
    return comes + stays_away
