"""Linear map between two vector spaces, learned for retrieval by CSLS (RCSLS)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lexigraft.core.linalg.linear_maps import LinearMap, procrustes
from lexigraft.core.linalg.nearest import nearest_products, unit_rows

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Learned:
    """A learned map.

    Attributes:
        map: The map, without means.
        losses: The loss of the start and after each step that was taken, never rising.
    """

    map: LinearMap
    losses: tuple[float, ...]


def rcsls(
    x: torch.Tensor,
    y: torch.Tensor,
    source: torch.Tensor,
    target: torch.Tensor,
    budget: int,
    *,
    neighbors: int = 10,
    steps: int = 10,
    step_size: float = 1.0,
    spectral: bool = True,
) -> Learned:
    """The map W that minimizes the relaxed CSLS loss of the pairs, by subgradient steps from the Procrustes map.

    With all vectors scaled to length 1, ``N_Y`` the k target vectors of highest inner product and ``N_X`` the k mapped
    source vectors::

        loss(W) = 1/n sum_i [ -2 x_i W y_i + 1/k sum_{z in N_Y(x_i W)} x_i W z + 1/k sum_{s W in N_X(y_i)} s W y_i ]

    which is convex in W. A step that would raise the loss is not taken; the step size is halved instead. ``spectral``
    keeps the singular values of W at most 1 (the convex hull of the orthogonal maps), without which the loss has no
    minimum.

    Source: Joulin et al. 2018 (Loss in Translation, EMNLP), section 3.

    Args:
        x: Source vectors of the pairs, float32, ``(pairs, source_dim)``.
        y: Target vectors of the pairs, float32, ``(pairs, target_dim)``.
        source: Source vectors among which neighbors are found, ``(words, source_dim)``.
        target: Target vectors among which neighbors are found, ``(words, target_dim)``.
        budget: Bytes for one block.
        neighbors: k; all of a side where it has fewer.
        steps: How many steps are tried.
        step_size: That of the first step.
        spectral: Whether W stays in the spectral ball.
    """
    x, y, source, target = map(unit_rows, (x, y, source, target))
    weight = procrustes(x.double(), y.double(), center=False).weight.float()
    loss, gradient = _loss(weight, x, y, source, target, neighbors, budget)
    losses = [loss]
    for _ in range(steps):
        tried = weight - step_size * gradient
        if spectral:
            tried = _in_spectral_ball(tried)
        loss, slope = _loss(tried, x, y, source, target, neighbors, budget)
        if loss >= losses[-1]:
            step_size /= 2
            continue
        weight, gradient = tried, slope
        losses.append(loss)
    return Learned(LinearMap(weight, weight.new_zeros(x.shape[1]), weight.new_zeros(y.shape[1])), tuple(losses))


def _loss(
    weight: torch.Tensor,
    x: torch.Tensor,
    y: torch.Tensor,
    source: torch.Tensor,
    target: torch.Tensor,
    neighbors: int,
    budget: int,
) -> tuple[float, torch.Tensor]:
    """The loss and a subgradient of it, ``(source_dim, target_dim)``."""
    mapped = x @ weight
    of_target = min(neighbors, len(target))
    of_source = min(neighbors, len(source))
    to_target, near_target = nearest_products(mapped, target, of_target, budget)
    to_source, near_source = nearest_products(y, source @ weight, of_source, budget)
    pairs = len(x)
    loss = (-2 * (mapped * y).sum() + to_target.sum() / of_target + to_source.sum() / of_source) / pairs
    gradient = x.T @ (_mean_rows(target, near_target) - 2 * y) + _mean_rows(source, near_source).T @ y
    return float(loss), gradient / pairs


def _mean_rows(vectors: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """The mean of the vectors of each row of ids, ``(rows, dim)``."""
    import torch

    return torch.nn.functional.embedding_bag(ids, vectors, mode="mean")


def _in_spectral_ball(weight: torch.Tensor) -> torch.Tensor:
    """The nearest map whose singular values are at most 1."""
    import torch

    u, values, vt = torch.linalg.svd(weight.double(), full_matrices=False)
    projected: torch.Tensor = (u * values.clamp(max=1)) @ vt
    return projected.float()
