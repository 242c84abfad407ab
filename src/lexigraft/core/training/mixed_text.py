"""Training text mixed of several texts, row by row."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from lexigraft.core.training.packing import TrainingText


class MixedText:
    """Rows of several packed texts in one endless, restartable order.

    Each text goes on where its last row was, and begins anew, in another order, when it has ended.

    Args:
        parts: The packed texts by name.
        schedule: For every row, the number of its text among the parts; it begins anew when it has ended.
    """

    def __init__(self, parts: Mapping[str, TrainingText], schedule: npt.NDArray[np.int16]) -> None:
        self._names, self._texts, self._schedule = tuple(parts), tuple(parts.values()), schedule
        self._counts = np.bincount(schedule, minlength=len(parts))
        self._own_positions = np.zeros(len(schedule), np.int64)
        for number in range(len(parts)):
            of_this = schedule == number
            self._own_positions[of_this] = np.arange(of_this.sum())

    def at(self, position: int, seed: int) -> npt.NDArray[np.int32]:
        """The row at a position of the order; see :meth:`lexigraft.core.training.packing.PackedText.at`."""
        times, row = divmod(position, len(self._schedule))
        number = self._schedule[row]
        return self._texts[number].at(int(times * self._counts[number] + self._own_positions[row]), seed)

    def rows_of(self, rows: int) -> dict[str, int]:
        """How many of the first rows are of which text, by name."""
        times, rest = divmod(rows, len(self._schedule))
        counts = times * self._counts + np.bincount(self._schedule[:rest], minlength=len(self._names))
        return dict(zip(self._names, map(int, counts), strict=True))
