"""Grace period for the files of jobs on other machines, which come late."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from lexigraft.core.remote.job_state import JobState, State
from lexigraft.core.remote.launcher import Handle


@dataclass
class Grace:
    """Tells when a job's end may be acted upon.

    A network file system shows a new file up to a minute after it was written, and a job that has finished would be
    taken for one that is lost.

    Attributes:
        seconds: How long a last word may take.
    """

    seconds: float
    _since: dict[str, float] = field(default_factory=dict, repr=False)

    def over(self, handle: Handle, state: JobState) -> bool:
        """Whether a job is over, and its last word is here or will not come any more."""
        if state.state is not State.LOST:
            self._since.pop(handle.workdir, None)
            return state.over
        since = self._since.setdefault(handle.workdir, time.monotonic())
        return time.monotonic() - since >= self.seconds
