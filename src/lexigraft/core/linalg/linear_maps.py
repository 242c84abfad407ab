"""Linear maps between two embedding spaces, fitted on paired rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class LinearMap:
    """``y = (x - source_mean) W + target_mean``; an offset between two points maps by ``W`` alone.

    Attributes:
        weight: float32, shape ``(source_dim, target_dim)``.
        source_mean: Shape ``(source_dim,)``; zero without centering.
        target_mean: Shape ``(target_dim,)``; zero without centering.
    """

    weight: torch.Tensor
    source_mean: torch.Tensor
    target_mean: torch.Tensor

    def points(self, x: torch.Tensor) -> torch.Tensor:
        """Map points, ``(n, source_dim)`` to ``(n, target_dim)``."""
        return (x - self.source_mean) @ self.weight + self.target_mean

    def offsets(self, x: torch.Tensor) -> torch.Tensor:
        """Map differences of points; the means cancel."""
        return x @ self.weight


def _centered(x: torch.Tensor, y: torch.Tensor, center: bool) -> tuple[torch.Tensor, ...]:
    import torch

    mx = x.mean(0) if center else torch.zeros_like(x[0])
    my = y.mean(0) if center else torch.zeros_like(y[0])
    return x - mx, y - my, mx, my


def procrustes(x: torch.Tensor, y: torch.Tensor, *, center: bool = True) -> LinearMap:
    """The orthogonal map that brings x closest to y (Schönemann 1966): ``W = U V^T`` with ``X^T Y = U S V^T``.

    With unequal widths W is semi-orthogonal. No scaling.

    Args:
        x: float32, shape ``(pairs, source_dim)``.
        y: float32, shape ``(pairs, target_dim)``.
        center: Whether both sides are centered first.
    """
    import torch

    cx, cy, mx, my = _centered(x, y, center)
    u, _, vt = torch.linalg.svd(cx.T @ cy, full_matrices=False)
    return LinearMap(u @ vt, mx, my)


def ridge(x: torch.Tensor, y: torch.Tensor, *, penalty: float = 1.0, center: bool = True) -> LinearMap:
    """Least squares with a penalty: ``W = (X^T X + penalty * s I)^-1 X^T Y`` with s the mean squared entry times pairs.

    The scale s makes the penalty independent of the units of x and of the number of pairs.

    Args:
        x: float32, shape ``(pairs, source_dim)``.
        y: float32, shape ``(pairs, target_dim)``.
        penalty: Strength; 1 shrinks directions of average variance by half.
        center: Whether both sides are centered first.
    """
    import torch

    cx, cy, mx, my = _centered(x, y, center)
    gram = cx.T @ cx
    scale = gram.diagonal().mean().clamp_min(1e-12)
    regularized = gram + penalty * scale * torch.eye(len(gram))
    return LinearMap(torch.linalg.solve(regularized, cx.T @ cy), mx, my)


def identity(x: torch.Tensor, y: torch.Tensor, *, center: bool = True) -> LinearMap:
    """The identity map after centering: both spaces are taken to have the same axes (equal widths only)."""
    import torch

    _, _, mx, my = _centered(x, y, center)
    return LinearMap(torch.eye(x.shape[1]), mx, my)


def pca_procrustes(x: torch.Tensor, y: torch.Tensor) -> LinearMap:
    """Procrustes between principal axes: ``W = P_x R P_y^T``, both sides centered and projected on their first q axes.

    With ``q = min(source_dim, target_dim)``, only the wider side loses anything: the directions in which it varies
    least. With equal widths this is the centered orthogonal map.

    Args:
        x: float32, shape ``(pairs, source_dim)``.
        y: float32, shape ``(pairs, target_dim)``.
    """
    cx, cy, mx, my = _centered(x, y, True)
    q = min(x.shape[1], y.shape[1])
    axes_x, axes_y = _principal_axes(cx, q), _principal_axes(cy, q)
    rotation = procrustes(cx @ axes_x, cy @ axes_y, center=False)
    return LinearMap(axes_x @ rotation.weight @ axes_y.T, mx, my)


def _principal_axes(centered: torch.Tensor, q: int) -> torch.Tensor:
    """The q directions of most variance, by an exact eigendecomposition: shape ``(dim, q)``, orthonormal."""
    import torch

    _, axes = torch.linalg.eigh((centered.T @ centered).double())
    return axes.flip(1)[:, :q].to(centered.dtype)


def least_squares(x: torch.Tensor, y: torch.Tensor) -> LinearMap:
    """The affine map closest to the pairs, of least norm where there are several: ``W = pinv(X) Y``, centered.

    Args:
        x: float32, shape ``(pairs, source_dim)``.
        y: float32, shape ``(pairs, target_dim)``.
    """
    import torch

    cx, cy, mx, my = _centered(x, y, True)
    solved = torch.linalg.lstsq(cx.double(), cy.double(), driver="gelsd").solution
    return LinearMap(solved.float(), mx, my)
