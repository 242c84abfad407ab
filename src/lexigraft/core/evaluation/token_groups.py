"""Bits per byte of groups of tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lexigraft.core.evaluation.evaluator import EvaluationContext
from lexigraft.core.evaluation.line_tokens import LineTokens
from lexigraft.core.evaluation.scores import ItemScores

FREQUENCIES = {"0-4": (0, 4), "5-14": (5, 14), "15-99": (15, 99), "100-up": (100, np.iinfo(np.int64).max)}
"""Least and most occurrences in the training text."""


class TokenBits(NamedTuple):
    """Bits that a model needs for each token.

    Every token of every line is there once.

    Attributes:
        lines: The index of each token's line, ``(tokens,)``.
        ids: Token ids, ``(tokens,)``.
        bits: Bits, ``(tokens,)``.
    """

    lines: npt.NDArray[np.int64]
    ids: npt.NDArray[np.int64]
    bits: npt.NDArray[np.float64]


def token_groups(context: EvaluationContext) -> dict[str, npt.NDArray[np.bool_]]:
    """Which tokens belong to which group, ``(vocabulary,)``, as far as the context tells.

    Args:
        context: With ``token_counts`` there are groups by frequency, with ``moved_ids`` too the group ``moved``.
    """
    counts = context.token_counts
    if counts is None:
        return {}
    groups = {f"seen_{name}": (counts >= least) & (counts <= most) for name, (least, most) in FREQUENCIES.items()}
    if context.moved_ids is not None:
        groups["moved"] = np.isin(np.arange(len(counts)), context.moved_ids)
    return groups


def group_scores(
    scored: TokenBits, lines: Sequence[LineTokens], groups: Mapping[str, npt.NDArray[np.bool_]]
) -> dict[str, ItemScores]:
    """The bits of each group's tokens over the bytes that they stand for, by line; without groups that do not occur.

    Args:
        scored: The bits of all tokens.
        lines: The tokenized lines.
        groups: From :func:`token_groups`.
    """
    if not groups:
        return {}
    owners = np.repeat(np.arange(len(lines)), [len(line.ids) for line in lines])
    ids, sizes = (np.concatenate(parts) for parts in ([line.ids for line in lines], [line.sizes for line in lines]))
    found = {}
    for name, members in groups.items():
        bits = np.bincount(scored.lines, np.where(members[scored.ids], scored.bits, 0.0), len(lines))
        bytes_ = np.bincount(owners, np.where(members[ids], sizes, 0.0), len(lines))
        if bytes_.any():
            found[name] = ItemScores.of(bits.tolist(), bytes_.tolist())
    return found
