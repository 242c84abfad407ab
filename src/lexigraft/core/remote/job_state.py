"""States of a job, with their words, MLflow's status for each, and how a job's state is decided."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from lexigraft.core.remote.job_files import JobFiles

USERS_MISTAKE = 2
"""The exit code of a command that a user has to mend; the same command ends in the same way again."""
_SILENT_BEATS = 6
"""Heartbeats that a job may miss before it counts as lost where nothing else tells."""
_SHOWN_LINES = 5


class State(StrEnum):
    """What a job is in."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    OUT_OF_MEMORY = "out_of_memory"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    PREEMPTED = "preempted"
    LOST = "lost"


class Meaning(NamedTuple):
    """What a state means.

    Attributes:
        mlflow: The status of an MLflow run.
        words: One sentence without a final stop.
        over: Whether the job has come to an end.
        again: Whether another attempt may end better.
    """

    mlflow: str
    words: str
    over: bool
    again: bool = False


MEANINGS = {
    State.QUEUED: Meaning("SCHEDULED", "waits for its turn", over=False),
    State.RUNNING: Meaning("RUNNING", "runs", over=False),
    State.FINISHED: Meaning("FINISHED", "finished", over=True),
    State.FAILED: Meaning("FAILED", "failed", over=True, again=True),
    State.OUT_OF_MEMORY: Meaning("FAILED", "needed more memory than it had", over=True, again=True),
    State.TIMED_OUT: Meaning("FAILED", "was ended at its time limit", over=True, again=True),
    State.CANCELLED: Meaning("KILLED", "was cancelled", over=True),
    State.PREEMPTED: Meaning("KILLED", "had to make room for another job", over=True, again=True),
    State.LOST: Meaning("FAILED", "is gone without a last word (its machine or its process was killed)", True, True),
}


@dataclass(frozen=True)
class JobState:
    """The state of a job, with what is known about its end.

    Attributes:
        state: The state.
        exit_code: The command's exit code; None where it has none.
        signal: The signal that ended the command, such as ``SIGKILL``; empty where none did.
        host: The machine.
        device: The GPU, or ``cpu``.
        seconds: How long the command ran.
        peak_rss_bytes: The most memory that one of its processes held.
        reason: What the launcher's own system says, in its words.
        stuck: Whether waiting alone does not start it: its image cannot be pulled, or no machine is fit for it.
    """

    state: State
    exit_code: int | None = None
    signal: str = ""
    host: str = ""
    device: str = ""
    seconds: float | None = None
    peak_rss_bytes: int | None = None
    reason: str = ""
    stuck: bool = False

    @property
    def over(self) -> bool:
        """Whether the job has come to an end."""
        return MEANINGS[self.state].over

    @property
    def mlflow(self) -> str:
        """The status of an MLflow run."""
        return MEANINGS[self.state].mlflow

    @property
    def again(self) -> bool:
        """Whether another attempt may end better; a user's mistake does not mend itself."""
        return MEANINGS[self.state].again and self.exit_code != USERS_MISTAKE

    def sentence(self, log: Sequence[str] = ()) -> str:
        """One line of plain words.

        Args:
            log: The job's last lines; shown, at most five of them, unless it finished.
        """
        killed = self.state is State.FAILED and self.signal
        parts = [f"was ended by {self.signal}" if killed else MEANINGS[self.state].words]
        if self.state is State.FAILED and self.exit_code is not None:
            parts.append(f"with exit code {self.exit_code}")
        if self.host:
            parts.append(f"on {self.host}")
        if self.seconds is not None:
            parts.append(f"after {self.seconds:,.0f} s")
        if self.reason:
            parts.append(f"({self.reason})")
        text = " ".join(parts)
        lines = [line.strip() for line in log if line.strip()][-_SHOWN_LINES:]
        return f"{text}; its log ends with: {' | '.join(lines)}" if lines and self.state is not State.FINISHED else text


@dataclass(frozen=True)
class Evidence:
    """What a launcher's own system knows about a job.

    Attributes:
        alive: Whether it is there, waiting or running; None where nobody can say.
        state: The state that the system names, where it names one (a time-out, a pre-emption, a full memory).
        reason: Its own words.
        stuck: Whether it waits for something that waiting alone may not bring.
    """

    alive: bool | None = None
    state: State | None = None
    reason: str = ""
    stuck: bool = False


def decide(files: JobFiles, evidence: Evidence) -> JobState:
    """The state of a job by the files that it wrote or, where they do not tell, by its launcher's evidence.

    Args:
        files: What the job wrote about itself.
        evidence: What the launcher's system says.
    """
    waits_again = evidence.state in (State.QUEUED, State.RUNNING) and bool((files.ended or {}).get("received"))
    if files.ended is not None and not waits_again:
        return _ended(files, evidence)
    started = files.started or {}
    known = JobState(
        State.RUNNING,
        host=str(started.get("host", "")),
        device=str(started.get("device", "")),
        reason=evidence.reason,
    )
    if evidence.state is not None and MEANINGS[evidence.state].over and evidence.state is not State.FINISHED:
        return replace(known, state=evidence.state)
    if evidence.alive is False or evidence.state is State.FINISHED:
        return replace(known, state=State.CANCELLED if files.cancelled else State.LOST)
    if files.started is None or evidence.state is State.QUEUED:  # a job that has started may be put back into a queue
        return replace(known, state=State.QUEUED, stuck=evidence.stuck)
    allowed = _SILENT_BEATS * (files.heartbeat_seconds or math.inf)
    if files.silent_seconds is not None and files.silent_seconds > allowed:
        silent = replace(known, reason=f"no sign of life for {files.silent_seconds:,.0f} s")
        return silent if evidence.alive else replace(silent, state=State.LOST)
    return known


def _ended(files: JobFiles, evidence: Evidence) -> JobState:
    ended = files.ended or {}
    code, signal = ended.get("exit_code"), str(ended.get("signal") or "")
    if code == 0:
        state = State.FINISHED
    elif evidence.state in (State.OUT_OF_MEMORY, State.TIMED_OUT, State.PREEMPTED, State.CANCELLED, State.LOST):
        state = evidence.state
    elif files.cancelled:
        state = State.CANCELLED
    elif ended.get("timed_out"):
        state = State.TIMED_OUT
    elif ended.get("out_of_memory"):
        state = State.OUT_OF_MEMORY
    elif ended.get("received"):
        state = State.PREEMPTED
    else:
        state = State.FAILED
    return JobState(
        state,
        exit_code=code,
        signal=signal,
        host=str(ended.get("host", "")),
        device=str(ended.get("device", "")),
        seconds=ended.get("seconds"),
        peak_rss_bytes=ended.get("peak_rss_bytes"),
        reason=evidence.reason,
    )
