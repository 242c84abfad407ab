"""Cosine similarity of two sets of vectors, also corrected for hubs (CSLS)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from lexigraft.core.linalg.blocks import row_blocks
from lexigraft.core.linalg.nearest import nearest, unit_rows

if TYPE_CHECKING:
    import torch

Similarity = Literal["cosine", "csls", "margin"]
NEIGHBORS = 10


def neighborhood_means(points: torch.Tensor, others: torch.Tensor, k: int, budget: int) -> torch.Tensor:
    """``r``: the mean cosine of each point with its k nearest others (with all of them where there are fewer).

    Args:
        points: float32, ``(points, dim)``.
        others: float32, ``(others, dim)``.
        k: How many neighbors.
        budget: Bytes for one block.

    Returns:
        float32, ``(points,)``.
    """
    return nearest(points, others, min(k, len(others)), budget)[0].mean(1)


def similarities(
    queries: torch.Tensor,
    candidates: torch.Tensor,
    similarity: Similarity,
    budget: int,
    *,
    neighbors: int = NEIGHBORS,
    query_side: torch.Tensor | None = None,
) -> Iterator[tuple[slice, torch.Tensor]]:
    """Similarities of every query with every candidate, in blocks of queries.

    With ``r_C(q)`` the mean cosine of q with its k nearest candidates and ``r_Q(c)`` the mean cosine of c with its k
    nearest vectors of the queries' side: ``csls = 2 cos(q, c) - r_C(q) - r_Q(c)`` (Conneau et al. 2018), ``margin = cos
    (q, c) / ((r_C(q) + r_Q(c)) / 2)`` (Artetxe & Schwenk 2019).

    Args:
        queries: float32, ``(queries, dim)``.
        candidates: float32, ``(candidates, dim)``.
        similarity: Which one.
        budget: Bytes for one block.
        neighbors: k.
        query_side: The vectors among which a candidate's neighbors are found; the queries themselves by default.

    Yields:
        A slice of the queries and their similarities, ``(rows, candidates)``.
    """
    q, c = unit_rows(queries), unit_rows(candidates)
    if similarity != "cosine":
        of_queries = neighborhood_means(queries, candidates, neighbors, budget)[:, None]
        of_candidates = neighborhood_means(candidates, queries if query_side is None else query_side, neighbors, budget)
    for rows in row_blocks(len(q), 4 * 3 * len(c), budget):
        cosines = q[rows] @ c.T
        if similarity == "csls":
            yield rows, 2 * cosines - of_queries[rows] - of_candidates
        elif similarity == "margin":
            yield rows, cosines / ((of_queries[rows] + of_candidates) / 2)
        else:
            yield rows, cosines


def ranks(blocks: Iterator[tuple[slice, torch.Tensor]], right: list[list[int]]) -> torch.Tensor:
    """The rank of the best right candidate of each query, 1 for the most similar; wrong ones that tie stand before it.

    Args:
        blocks: From :func:`similarities`.
        right: The right candidates of each query, at least one.

    Returns:
        int64, ``(queries,)``.
    """
    import torch

    found = []
    for rows, values in blocks:
        of_rows = right[rows]
        at = torch.tensor([[n, column] for n, columns in enumerate(of_rows) for column in columns])
        is_right = torch.zeros(values.shape, dtype=torch.bool)
        is_right[at[:, 0], at[:, 1]] = True
        best = values.masked_fill(~is_right, -torch.inf).amax(1, keepdim=True)
        found.append(1 + ((values >= best) & ~is_right).sum(1))
    return torch.cat(found)
