"""Vectors without their mean and their leading principal directions: all-but-the-top."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lexigraft.core.errors import LexigraftError

if TYPE_CHECKING:
    import torch


def all_but_the_top(rows: torch.Tensor, directions: int) -> torch.Tensor:
    """Rows without what they have in common: ``x - mean``, less its parts along the leading principal directions.

    Source: Mu and Viswanath, "All-but-the-Top: Simple and Effective Postprocessing for Word Representations", ICLR
    2018, algorithm 1.

    Args:
        rows: Of any float type, ``(rows, dim)``, at least one.
        directions: How many principal directions of the centered rows go; 0 only centers.

    Returns:
        New rows in the same dtype, computed in double precision.

    Raises:
        LexigraftError: As many directions as dimensions, which would leave nothing.
    """
    import torch

    if directions >= rows.shape[1]:
        raise LexigraftError(
            "all_but_the_top removes every direction",
            f"{directions} of {rows.shape[1]} dimensions",
            "The paper removes about a hundredth of the dimensions",
        )
    centered = rows.double() - rows.double().mean(0)
    top = torch.linalg.eigh(centered.T @ centered).eigenvectors[:, rows.shape[1] - directions :]
    return (centered - centered @ top @ top.T).to(rows.dtype)
