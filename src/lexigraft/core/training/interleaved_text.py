"""Rows of two packed texts by turns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lexigraft.core.training.packing import TrainingText

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class InterleavedText:
    """Rows of two texts in an endless, restartable order; each goes on where its last row was.

    Of the first n rows ``floor(n * share)`` are the second text's, so that the share holds over every stretch of rows.

    Args:
        first: A text.
        second: Another one.
        share: The second text's share of the rows.
    """

    def __init__(self, first: TrainingText, second: TrainingText, share: float) -> None:
        self._first, self._second, self._share = first, second, share

    def at(self, position: int, seed: int) -> npt.NDArray[np.int32]:
        """The row at a position; see :meth:`lexigraft.core.training.packing.PackedText.at`."""
        before = int(position * self._share)
        if int((position + 1) * self._share) > before:
            return self._second.at(before, seed)
        return self._first.at(position - before, seed)
