"""Mixtures of source rows by similarity."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lexigraft.core.grafting.plan import Mix
from lexigraft.core.linalg.inner_products import Products
from lexigraft.core.linalg.nearest import nearest, thread_blocks, tile_row_bytes, unit_rows
from lexigraft.core.linalg.sparsemax import sparsemax_rows
from lexigraft.core.utils.threads import parallel_map

if TYPE_CHECKING:
    import torch


def softmax_mix(
    queries: torch.Tensor,
    anchors: torch.Tensor,
    anchor_source_ids: npt.NDArray[np.int64],
    *,
    k: int,
    temperature: float,
    budget: int,
) -> Mix:
    """Each query as a mixture of its k nearest anchors: ``w = softmax(cos(q, a) / temperature)`` over those k.

    Args:
        queries: float32, shape ``(rows, dim)``.
        anchors: float32, shape ``(anchors, dim)``.
        anchor_source_ids: The source row of each anchor, shape ``(anchors,)``.
        k: How many anchors share a row; all where there are fewer.
        temperature: Below 1 sharpens the weights.
        budget: Bytes for one block.

    Returns:
        A Mix with one row for each query.
    """
    import torch

    k = min(k, len(anchors))
    cosines, places = nearest(queries, anchors, k, budget)
    weights = torch.softmax(cosines / temperature, dim=1)
    pointers = np.arange(0, len(queries) * k + 1, k, dtype=np.int64)
    ids = anchor_source_ids[places.numpy().ravel()]
    return Mix(pointers, ids.astype(np.int32), weights.numpy().ravel())


def nearest_mix(
    queries: torch.Tensor,
    mask: npt.NDArray[np.bool_],
    source: torch.Tensor,
    present: npt.NDArray[np.bool_],
    *,
    k: int,
    temperature: float,
    budget: int,
) -> Mix:
    """Rows asked for as softmax mixtures of the k nearest source tokens, see :func:`softmax_mix`.

    Args:
        queries: Vectors of the rows asked for, in the space of ``source``, float32, ``(asked, dim)``.
        mask: Which of them are mixed, ``(asked,)``; the others stay uncovered.
        source: Vectors of the source tokens, ``(source, dim)``.
        present: Which of them have one, ``(source,)``.
        k: How many share a row.
        temperature: Below 1 sharpens the weights.
        budget: Bytes for one block.

    Returns:
        A Mix with one row for each row asked for.
    """
    anchors = np.flatnonzero(present)
    if not len(anchors):
        return empty_mix(len(mask))
    mixed = softmax_mix(queries[mask], source[anchors], anchors, k=k, temperature=temperature, budget=budget)
    return scatter_rows(mixed, mask)


def scatter_rows(mix: Mix, mask: npt.NDArray[np.bool_]) -> Mix:
    """A Mix for all rows asked for, from a Mix for some of them; the others stay uncovered.

    Args:
        mix: One row for each place where ``mask`` is true.
        mask: Which of the rows asked for have one, shape ``(asked,)``.
    """
    lengths = np.zeros(len(mask), np.int64)
    lengths[mask] = np.diff(mix.indptr)
    return Mix(np.concatenate([np.zeros(1, np.int64), lengths.cumsum()]), mix.indices, mix.weights)


def empty_mix(rows: int) -> Mix:
    """A Mix of so many rows that covers none of them."""
    return Mix.from_rows([([], [])] * rows)


def shares(counts: Mapping[int, float]) -> tuple[list[int], list[float]]:
    """Source ids and their shares of all counts, in the order given."""
    total = sum(counts.values())
    return list(counts), [count / total for count in counts.values()]


def pair_counts(
    links: Sequence[Sequence[tuple[int, int]]],
    source_ids: Sequence[Sequence[int]],
    target_ids: Sequence[Sequence[int]],
    shape: tuple[int, int],
) -> Any:
    """How often each target token is linked with each source token: a float64 CSR matrix, ``(target, source)``.

    Args:
        links: Linked positions ``(source, target)`` of each sentence pair.
        source_ids: Token ids of each source sentence.
        target_ids: Token ids of each target sentence.
        shape: Sizes of the target and of the source vocabulary.
    """
    from scipy.sparse import csr_matrix

    pairs = [
        (ours[j], theirs[i])
        for linked, theirs, ours in zip(links, source_ids, target_ids, strict=True)
        for i, j in linked
    ]
    rows, columns = np.array(pairs, np.int64).reshape(-1, 2).T
    counts = csr_matrix((np.ones(len(pairs)), (rows, columns)), shape=shape)
    counts.sum_duplicates()
    return counts


def normalized_rows(counts: Any, ids: npt.NDArray[np.int64]) -> Mix:
    """Some rows of a CSR matrix of counts, each divided by its sum; rows without a count stay uncovered.

    Args:
        counts: Not negative, no zero stored, ``(target, source)``.
        ids: The rows, in order.
    """
    chosen = counts[ids]
    totals = np.asarray(chosen.sum(axis=1)).ravel()
    weights = chosen.data / np.repeat(totals, np.diff(chosen.indptr))
    return Mix(chosen.indptr.astype(np.int64), chosen.indices.astype(np.int32), weights.astype(np.float32))


def sparse_mix(
    queries: torch.Tensor,
    anchors: torch.Tensor,
    anchor_source_ids: npt.NDArray[np.int64],
    *,
    temperature: float,
    budget: int,
    weights: str = "sparsemax",
) -> Mix:
    """Each query as a sparse mixture of source rows, by cosine to the anchors.

    ``w = sparsemax(cos(q, a) / temperature)``, by tiles of the cosines.

    Args:
        queries: float32, shape ``(rows, dim)``.
        anchors: float32, shape ``(anchors, dim)``.
        anchor_source_ids: The source row of each anchor, shape ``(anchors,)``.
        temperature: Above 1 spreads the weights, below 1 sharpens them.
        budget: Bytes for one block.
        weights: ``sparsemax``, or ``entmax15`` (Peters, Niculae & Martins 2019), which keeps more anchors.

    Returns:
        A Mix with one row for each query.
    """
    rows_of, bytes_per_row = (
        _sparsemax(Products(queries, anchors, temperature=temperature))
        if weights == "sparsemax"
        else _entmax15(unit_rows(queries) / temperature, unit_rows(anchors))
    )

    def mixed(span: slice) -> Mix:
        pointers, ids, values = rows_of(span)
        return Mix(pointers.numpy(), anchor_source_ids[ids.numpy()].astype(np.int32), values.numpy())

    return Mix.stack(parallel_map(mixed, thread_blocks(len(queries), bytes_per_row, budget)))


SparseRows = Callable[[slice], "tuple[torch.Tensor, torch.Tensor, torch.Tensor]"]


def _sparsemax(scores: Products) -> tuple[SparseRows, int]:
    return lambda span: sparsemax_rows(scores, span), tile_row_bytes(scores)


def _entmax15(q: torch.Tensor, a: torch.Tensor) -> tuple[SparseRows, int]:
    import torch
    from entmax import entmax15

    def rows_of(span: slice) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        dense = entmax15(q[span] @ a.T, dim=1)
        rows, ids = dense.nonzero(as_tuple=True)
        pointers = torch.zeros(len(dense) + 1, dtype=torch.int64)
        pointers[1:] = rows.bincount(minlength=len(dense)).cumsum(0)
        return pointers, ids, dense[rows, ids]

    return rows_of, 4 * 4 * len(a)
