"""The contrastive loss of pairs in a batch."""

from __future__ import annotations

import torch
from torch.nn.functional import cross_entropy


def pair_contrast(vectors: torch.Tensor, temperature: float, excluded: torch.Tensor | None = None) -> torch.Tensor:
    """The normalized temperature-scaled cross-entropy (NT-Xent): each vector is to find its partner among all others.

    Similarity is the dot product; give unit vectors for the cosine.

    Args:
        vectors: Pairs one after the other: rows 2n and 2n + 1 are partners, float32, ``(2 pairs, hidden)``.
        temperature: What similarities are divided by.
        excluded: Which vectors are no negatives of which, bool, ``(2 pairs, 2 pairs)``; partners stay partners.

    Returns:
        The mean over the vectors in nats, a scalar.

    Source:
        Chen et al. 2020, "SimCLR", equation 1.
    """
    numbers = torch.arange(len(vectors), device=vectors.device)
    partners = numbers ^ 1
    hidden = torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
    if excluded is not None:
        hidden = hidden | excluded.index_put((numbers, partners), torch.zeros_like(hidden[0]))
    # Large dot products lose their differences in half precision.
    with torch.autocast(vectors.device.type, enabled=False):
        similarities = vectors @ vectors.T / temperature
        return cross_entropy(similarities.masked_fill(hidden, float("-inf")), partners)
