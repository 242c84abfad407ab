"""Pauses between attempts to reach a server that does not answer."""

from __future__ import annotations

import time
from dataclasses import dataclass

FIRST_SECONDS, LONGEST_SECONDS = 15.0, 600.0


@dataclass
class Backoff:
    """Pause before the next try.

    It doubles after each failure in a row, up to ``LONGEST_SECONDS``.
    """

    _failures: int = 0
    _until: float = 0.0

    @property
    def over(self) -> bool:
        """Whether another attempt is due."""
        return time.monotonic() >= self._until

    def fail(self) -> None:
        """Note an attempt that failed just now."""
        pause = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(self._failures, 30))
        self._failures, self._until = self._failures + 1, time.monotonic() + pause
