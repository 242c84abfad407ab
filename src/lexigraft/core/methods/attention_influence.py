"""Attention influence between segments of a text, and its distance between two models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lexigraft.core.models.attention_capture import CapturedAttention

if TYPE_CHECKING:
    import torch


def influence(
    attention: CapturedAttention, text: int, segments: Sequence[int], count: int, *, total: bool
) -> torch.Tensor:
    """Attention contributions to each segment's last token: ``sum over a segment's tokens of weight x value state``.

    Args:
        attention: One layer's attention on a batch.
        text: Which text of the batch.
        segments: The segment of each of its leading tokens, never decreasing, every segment with a token.
        count: How many segments.
        total: Only the sum over the segments of a text, which is the attention output.

    Returns:
        float32, ``(heads, attending segment, attended segment, width)``, with ``total`` ``(heads, attending segment, 1,
        width)``.

    Source:
        Haltiuk & Smywinski-Pohl 2025 (arXiv 2510.21954), attention influence matching.
    """
    import torch

    numbers = torch.tensor(segments, device=attention.values.device)
    last = torch.searchsorted(numbers, torch.arange(count, device=numbers.device), right=True) - 1
    weights = attention.weights[text].index_select(1, last)[:, :, : len(numbers)]
    values = attention.values[text][:, : len(numbers)]
    if total:
        return (weights @ values).unsqueeze(2)
    member = torch.nn.functional.one_hot(numbers, count).T.to(values.dtype)
    return member @ (weights.unsqueeze(-1) * values.unsqueeze(1))


def influence_gap(teacher: torch.Tensor, student: torch.Tensor, *, both_ways: bool) -> torch.Tensor:
    """Squared distance of two texts' influence vectors, the mean over heads and pairs of segments.

    Args:
        teacher: As :func:`influence` gives them.
        student: The same.
        both_ways: Whether a segment may attend to later ones; else those pairs are zero and do not count.
    """
    heads, looking, looked_at, _ = teacher.shape
    pairs = looking * (looking + 1) / 2 if looked_at > 1 and not both_ways else looking * looked_at
    return (teacher - student).square().sum() / (heads * pairs)
