"""Geometry of TEMA, which places a row relative to well-trained neighbors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from lexigraft.core.data.dictionary import Dictionary
from lexigraft.core.grafting.plan import Mix, combine
from lexigraft.core.grafting.strategy import InitContext
from lexigraft.core.linalg import linear_maps
from lexigraft.core.linalg.nearest import nearest
from lexigraft.core.tokenization.matching.alignment import Alignment
from lexigraft.core.tokenization.surface import Kind
from lexigraft.core.tokenization.vocabulary import Vocabulary

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class WordLinks:
    """Target tokens with a translation.

    Attributes:
        target_ids: Each linked target token once, ascending, int64, shape ``(links,)``.
        translations: For each link, the source rows of its translations (the mean over translations of the
            mean over pieces), shape ``(links, source)``.
    """

    target_ids: npt.NDArray[np.int64]
    translations: Mix

    def __len__(self) -> int:
        return len(self.target_ids)


class Geometry(Protocol):
    """The fields of a strategy that decide the placement."""

    @property
    def k(self) -> int: ...
    @property
    def temperature(self) -> float: ...
    @property
    def projection(self) -> str: ...
    @property
    def penalty(self) -> float: ...
    @property
    def centre(self) -> bool: ...
    @property
    def scale(self) -> str: ...
    @property
    def placement(self) -> str: ...


def link_tokens(
    source: Vocabulary,
    target: Vocabulary,
    dictionary: Dictionary,
    alignment: Alignment,
    *,
    single_only: bool,
    shared: bool,
) -> WordLinks:
    """Link every target token that is a whole dictionary word with its translations.

    Args:
        source: The rich model's vocabulary.
        target: The poor model's vocabulary.
        dictionary: Word pairs, source first.
        alignment: Used for ``shared``.
        single_only: Leave out translations that take several source tokens.
        shared: Link matched tokens with their source tokens as well.
    """
    found: dict[int, dict[tuple[int, ...], None]] = {}
    for source_word, target_word in dictionary.pairs:
        token = target.single_token(target_word)
        if token is None:
            continue
        pieces = tuple(source.pieces(source_word.encode(), True))
        if pieces and not (single_only and len(pieces) > 1):
            found.setdefault(token, {})[pieces] = None
    if shared:
        for i in alignment.matched.tolist():
            if target.surfaces.kinds[i] == Kind.TEXT:
                found.setdefault(i, {})[(int(alignment.source_ids[i]),)] = None
    ids = sorted(found)
    rows = []
    for i in ids:
        share = 1 / len(found[i])
        pairs = [(piece, share / len(pieces)) for pieces in found[i] for piece in pieces]
        rows.append(([p for p, _ in pairs], [w for _, w in pairs]))
    return WordLinks(np.array(ids, np.int64), Mix.from_rows(rows))


def place(
    how: Geometry,
    rich: torch.Tensor,
    poor: torch.Tensor,
    links: WordLinks,
    trained: npt.NDArray[np.bool_],
    moving: npt.NDArray[np.bool_],
    ctx: InitContext,
) -> torch.Tensor:
    """Placed rows of the moving tokens: ``u' = sum_j a_j (v_y_j - proj(v_x_j - w))``, a = softmax(cos / temperature).

    References are the k well-trained links whose translations lie nearest to the token's own translation in the rich
    space (never the token itself).

    Args:
        how: k, temperature, projection and placement.
        rich: The rich table, ``(source, rich_dim)``.
        poor: The poor table, ``(target, poor_dim)``.
        links: Linked tokens.
        trained: Which links may serve as references, ``(links,)``.
        moving: Which links move, ``(links,)``.
        ctx: For the generator and the memory budget.

    Returns:
        float32, ``(moving, poor_dim)``.
    """
    import torch

    translations = combine(links.translations, rich)
    references, movers = np.flatnonzero(trained), np.flatnonzero(moving)
    own = np.full(len(links), -1)
    own[references] = np.arange(len(references))
    x, y = translations[torch.from_numpy(references)], poor[torch.from_numpy(links.target_ids[trained])]
    return place_points(how, translations[torch.from_numpy(movers)], x, y, ctx, own=own[movers])


def place_points(
    how: Geometry,
    w: torch.Tensor,
    x: torch.Tensor,
    y: torch.Tensor,
    ctx: InitContext,
    *,
    own: npt.NDArray[np.int64] | None = None,
) -> torch.Tensor:
    """Points of one space placed in another beside reference pairs: ``u' = sum_j a_j (y_j - proj(x_j - w))``.

    Args:
        how: k, temperature, projection and placement.
        w: Points of the first space, ``(points, x_dim)``.
        x: References in the first space, at least one, ``(references, x_dim)``.
        y: The same references in the second space, ``(references, y_dim)``.
        ctx: For the generator and the memory budget.
        own: Which reference each point is itself, and so does not use; -1 for none, ``(points,)``.

    Returns:
        float32, ``(points, y_dim)``.
    """
    import torch

    mapping = _fit(how, x, y)
    if how.placement == "mapped":
        return mapping.points(w)
    itself = torch.from_numpy(np.full(len(w), -1) if own is None else own)
    k = min(how.k + int(bool((itself >= 0).any())), len(x))
    ratio = _typical_ratio(mapping, x, y) if how.scale == "norm" else 1.0
    noise = torch.randn(len(w), k, y.shape[1], generator=ctx.generator) if how.placement == "random_offset" else None
    placed = torch.zeros(len(w), y.shape[1])
    for span in ctx.blocks(len(w), 4 * (2 * len(x) + 3 * k * (x.shape[1] + y.shape[1]))):
        cosines, near = nearest(w[span], x, k, ctx.memory_budget)
        masked = (cosines / how.temperature).masked_fill(near == itself[span].unsqueeze(1), float("-inf"))
        weights = _keep_k(torch.softmax(masked, dim=1), how.k)
        offsets = ratio * mapping.offsets(x[near] - w[span].unsqueeze(1))
        if noise is not None:
            drawn = noise[span]
            offsets = drawn / drawn.norm(dim=2, keepdim=True) * offsets.norm(dim=2, keepdim=True)
        elif how.placement == "no_offset":
            offsets = torch.zeros_like(offsets)
        placed[span] = (weights.unsqueeze(2) * (y[near] - offsets)).sum(1)
    return placed


def _keep_k(weights: torch.Tensor, k: int) -> torch.Tensor:
    """Keep the k largest weights of each row and let them sum to one again."""
    import torch

    if weights.shape[1] <= k:
        return weights
    threshold = weights.topk(k, dim=1).values[:, -1:]
    kept = torch.where(weights >= threshold, weights, torch.zeros_like(weights))
    return kept / kept.sum(1, keepdim=True)


def _fit(how: Geometry, x: torch.Tensor, y: torch.Tensor) -> linear_maps.LinearMap:
    from lexigraft.core.errors import LexigraftError

    if how.projection == "identity":
        if x.shape[1] != y.shape[1]:
            raise LexigraftError(
                "projection 'identity' needs equal widths", f"{x.shape[1]} and {y.shape[1]}", "Use procrustes or ridge"
            )
        return linear_maps.identity(x, y, center=how.centre)
    if how.projection == "procrustes":
        return linear_maps.procrustes(x, y, center=how.centre)
    return linear_maps.ridge(x, y, penalty=how.penalty, center=how.centre)


def _typical_ratio(mapping: linear_maps.LinearMap, x: torch.Tensor, y: torch.Tensor) -> float:
    """How much longer the offset between two references is in the poor space than after the projection (medians)."""
    half = len(x) // 2
    projected = mapping.offsets(x[:half] - x[half : 2 * half]).norm(dim=1).median()
    actual = (y[:half] - y[half : 2 * half]).norm(dim=1).median()
    return float(actual / projected.clamp_min(1e-12))


def spread_counts(
    poor: torch.Tensor,
    moved_ids: npt.NDArray[np.int64],
    placed: torch.Tensor,
    ids: npt.NDArray[np.int64],
    neighbours: int,
    budget: int,
) -> tuple[npt.NDArray[np.int64], torch.Tensor]:
    """Give every token that did not move the mean displacement of its nearest moved neighbors in the poor space.

    Args:
        poor: The poor table, ``(target, poor_dim)``.
        moved_ids: Tokens that moved.
        placed: Where they moved to, ``(moved, poor_dim)``.
        ids: All tokens asked for.
        neighbours: How many neighbors share their displacement.
        budget: Bytes for one block.

    Returns:
        All ids asked for and their rows.
    """
    import torch

    displacement = placed - poor[moved_ids]
    others = np.setdiff1d(ids, moved_ids)
    _, near = nearest(poor[others], poor[moved_ids], min(neighbours, len(moved_ids)), budget)
    rows = poor[others] + displacement[near].mean(1)
    return np.concatenate([moved_ids, others]), torch.cat([placed, rows])
