"""Memory that one block of work after another is written to."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch


class Room:
    """Keeps for the next block what one has done with; the system would clear it, which takes more than a pass."""

    def __init__(self) -> None:
        self._kept: torch.UntypedStorage | None = None

    def take(self, shape: Sequence[int], like: torch.Tensor) -> torch.Tensor:
        """A tensor of this shape with the dtype and device of another, its values anything."""
        size = math.prod(shape)
        kept, self._kept = self._kept, None
        if kept is None or kept.device != like.device or kept.nbytes() < size * like.element_size():
            return like.new_empty(tuple(shape))
        return like.new_empty(0).set_(kept)[:size].view(tuple(shape))

    def give(self, tensor: torch.Tensor) -> None:
        """Let the next have the memory of a tensor that nothing reads any more."""
        self._kept = tensor.untyped_storage()
