"""Slurm's commands, and the states that they name."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import NamedTuple

from lexigraft.core.errors import LexigraftError
from lexigraft.core.remote.job_state import MEANINGS, Evidence, State
from lexigraft.core.remote.launcher import harmless_environment

_PATIENCE = 60.0
_SACCT_PATIENCE = 15.0
"""A database of jobs that does not answer must not hold up the rest."""
_FRESH = 2.0
"""Seconds for which one answer of squeue serves all jobs of an array: a wave may have a thousand."""
_UNKNOWN_JOB = "invalid job id"
_WAITS = {
    "PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD",
}  # fmt: skip
_RUNS = {"RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "RESIZING", "STAGE_OUT"}
STATES = {
    **dict.fromkeys(_WAITS, State.QUEUED),
    **dict.fromkeys(_RUNS, State.RUNNING),
    "COMPLETED": State.FINISHED,
    "FAILED": State.FAILED,
    "OUT_OF_MEMORY": State.OUT_OF_MEMORY,
    "TIMEOUT": State.TIMED_OUT,
    "DEADLINE": State.TIMED_OUT,
    "PREEMPTED": State.PREEMPTED,
    "CANCELLED": State.CANCELLED,
    "REVOKED": State.CANCELLED,
    "NODE_FAIL": State.LOST,
    "BOOT_FAIL": State.LOST,
}
"""What Slurm's words for a job's state mean."""


class Said(NamedTuple):
    """What a command of Slurm has said.

    Attributes:
        code: Its exit code; None where it is not there or does not answer.
        out: Its standard output.
        error: Its own words about what is wrong.
    """

    code: int | None
    out: str
    error: str

    @property
    def unknown_job(self) -> bool:
        """Whether Slurm no longer knows the job."""
        return self.code not in (0, None) and _UNKNOWN_JOB in self.error.lower()


class Seen(NamedTuple):
    """Slurm's word for a job's state, and its reason."""

    state: str
    reason: str = ""


def ask(command: Sequence[str], patience: float = _PATIENCE, text: str = "") -> Said:
    """Run one of Slurm's commands, which never waits for ever and sees no variable with a secret.

    Args:
        command: The command.
        patience: Seconds to wait for its end.
        text: Its standard input.
    """
    try:
        done = subprocess.run(
            list(command), env=_environment(), input=text, capture_output=True, text=True, timeout=patience
        )
    except FileNotFoundError:
        return Said(None, "", f"{command[0]} is not there")
    except subprocess.TimeoutExpired:
        return Said(None, "", f"{command[0]} did not answer within {patience:.0f} s")
    except OSError as error:
        return Said(None, "", f"{command[0]} cannot be run: {error}")
    lines = [line.removeprefix(f"{command[0]}: ").removeprefix("error: ") for line in done.stderr.splitlines()]
    return Said(done.returncode, done.stdout, "; ".join(line.strip() for line in lines if line.strip()))


def _environment() -> dict[str, str]:
    # A job's environment is that of its sbatch.
    own = {n: v for n, v in os.environ.items() if n.startswith("SBATCH_") or n in ("SLURM_CONF", "SLURM_CLUSTERS")}
    return harmless_environment() | own


def evidence(seen: Seen) -> Evidence:
    """What Slurm's word for a job's state says about it."""
    state = STATES.get(seen.state)
    quiet = seen.reason in ("", "None") or state in (State.RUNNING, State.FINISHED)
    words = f"Slurm: {seen.state}" + ("" if quiet else f", {seen.reason}")
    alive = None if state is None else not MEANINGS[state].over
    return Evidence(alive, state, "" if state in (State.RUNNING, State.FINISHED) else words)


_answers: dict[tuple[str, str | None], tuple[float, Mapping[str, Seen] | str]] = {}
_asking = Lock()


def in_queue(array: str) -> Mapping[str, Seen] | str:
    """The jobs of an array in squeue, by their numbers in it; words where Slurm does not answer.

    Those that were cancelled before they began may have no number of their own; the empty one stands for them.
    """
    key = (array, os.environ.get("SLURM_CONF"))
    with _asking:
        when, answer = _answers.get(key, (0.0, ""))
        if not when or time.monotonic() - when > _FRESH:
            answer = _squeue(array)
            _answers[key] = (time.monotonic(), answer)
        return answer


def _squeue(array: str) -> Mapping[str, Seen] | str:
    said = ask(["squeue", "--noheader", "--array", "--states=all", f"--jobs={array}", "--format=%K|%T|%r"])
    if said.unknown_job:
        return {}
    if said.code != 0:
        return said.error or "squeue does not answer"
    rows = [line.split("|", 2) for line in said.out.splitlines() if line.count("|") >= 2]
    return {task.strip() if task.strip().isdigit() else "": Seen(state, reason) for task, state, reason in rows}


def in_controller(job: str) -> Seen | None:
    """A job by ``scontrol show job``, which knows it as long as the controller does."""
    said = ask(["scontrol", "--oneliner", "show", "job", job])
    pairs = dict(part.split("=", 1) for part in said.out.split() if "=" in part) if said.code == 0 else {}
    return Seen(pairs["JobState"], pairs.get("Reason", "")) if "JobState" in pairs else None


def in_accounts(job: str) -> Seen | None:
    """A job by ``sacct``, where there is a database of jobs and it answers."""
    array = job.partition("_")[0]
    fields = ["--allocations", "--noheader", "--parsable2", "--format=JobID,State,ExitCode"]
    said = ask(["sacct", f"--jobs={array}", *fields], _SACCT_PATIENCE)
    rows = [line.split("|") for line in said.out.splitlines() if line.count("|") == 2] if said.code == 0 else []
    # One record of the whole array stands for its jobs that were cancelled before they began.
    alike = [row for row in rows if row[0] == job] or [row for row in rows if row[0] == array or "[" in row[0]]
    if not alike:
        return None
    _, state, code = alike[-1]
    return Seen(state.split()[0], f"exit code {code.split(':')[0]}" if not code.startswith("0:0") else "")


def array_by_name(name: str) -> str | None:
    """The newest array with a name; None where Slurm has none.

    Raises:
        LexigraftError: Slurm does not answer.
    """
    said = ask(["squeue", "--noheader", "--states=all", f"--name={name}", "--format=%F"])
    if said.code != 0:
        raise LexigraftError("Slurm does not answer", said.error, "Try again when it does")
    if found := [int(line) for line in said.out.split()]:
        return str(max(found))
    past = ["--allocations", "--noheader", "--parsable2", "--format=JobID", "--starttime=now-30days"]
    said = ask(["sacct", f"--name={name}", *past], _SACCT_PATIENCE)
    numbers = [line.partition("_")[0] for line in said.out.split()] if said.code == 0 else []
    return max((n for n in numbers if n.isdigit()), key=int, default=None)


def largest_array() -> int:
    """How many jobs an array may have."""
    said = ask(["scontrol", "show", "config"])
    lines = (line.partition("=") for line in said.out.splitlines())
    sizes = [int(value) for name, _, value in lines if name.strip() == "MaxArraySize" and value.strip().isdigit()]
    return max(1, sizes[0]) if sizes else 1
