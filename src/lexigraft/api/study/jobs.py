"""Jobs of a study on other machines, from any shell: their states, logs, end, and results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lexigraft.api.study.study import ReportFiles
from lexigraft.core.errors import LexigraftError, UnknownName
from lexigraft.core.evaluation.cells.cell_store import load_comparison, load_results
from lexigraft.core.remote.driver import SHOWN_LINES
from lexigraft.core.remote.job_state import JobState, State
from lexigraft.core.remote.job_store import Attempt, JobStore
from lexigraft.core.remote.launcher import Handle, Launcher
from lexigraft.core.utils.secrets import masked
from lexigraft.report.study_report import write_study_report


@dataclass(frozen=True)
class JobStatus:
    """A job and what has become of it.

    Attributes:
        job: Its name: a cell's folder, or a stage with a hash.
        attempt: Which start it is, from 1.
        id: Its name in the launcher's system; empty where it was never submitted.
        state: Its state.
        words: The state in words, with the log's last lines where it failed.
        host: The machine.
        device: The GPU, or ``cpu``.
        seconds: How long it ran.
        log: Where its log is.
    """

    job: str
    attempt: int
    id: str
    state: str
    words: str
    host: str
    device: str
    seconds: float | None
    log: str


@dataclass(frozen=True)
class Fetched:
    """What has been brought from the jobs' machines.

    Attributes:
        jobs: The jobs that have ended.
        finished: Cells with a result here.
        cells: Cells in all; None where the list of cells is not made yet.
        report: The report; None while no cell is finished.
    """

    jobs: tuple[str, ...]
    finished: int
    cells: int | None
    report: ReportFiles | None


def remote_status(folder: str | Path) -> list[JobStatus]:
    """The states of a study's jobs, each by its last start.

    Args:
        folder: The study's folder.

    Raises:
        LexigraftError: No jobs were started in this folder, or the launcher's system does not answer.
    """
    store = JobStore(Path(folder))
    launcher = store.launcher()
    return [_status(launcher, attempt) for attempt in _attempts(store, ())]


def remote_logs(folder: str | Path, jobs: Sequence[str] = (), lines: int = 20) -> dict[str, list[str]]:
    """The last lines of the jobs' logs.

    Args:
        folder: The study's folder.
        jobs: Names of jobs, or beginnings of names; all of them by default.
        lines: How many lines of each.

    Raises:
        UnknownName: There is no such job.
        LexigraftError: No jobs were started in this folder, or the launcher's system does not answer.
    """
    store = JobStore(Path(folder))
    launcher = store.launcher()
    found = ((one.job, _handle(launcher, one)) for one in _attempts(store, jobs))
    return {job: [masked(line) for line in launcher.tail(handle, lines)] for job, handle in found if handle}


def remote_cancel(folder: str | Path, jobs: Sequence[str] = ()) -> list[str]:
    """End jobs that are not over; without names all of them, and a driver that runs starts no more.

    Args:
        folder: The study's folder.
        jobs: Names of jobs, or beginnings of names; all of them by default.

    Returns:
        The names of the jobs that were ended.

    Raises:
        UnknownName: There is no such job.
        LexigraftError: No jobs were started in this folder, or the launcher's system does not answer.
    """
    store = JobStore(Path(folder))
    launcher = store.launcher()
    if not jobs:
        store.halt()
    ended = []
    for attempt in _attempts(store, jobs):
        handle = _handle(launcher, attempt)
        if handle is not None and not launcher.poll(handle).over:
            launcher.cancel(handle)
            ended.append(attempt.job)
    return ended


def remote_fetch(folder: str | Path) -> Fetched:
    """Bring what ended jobs have made, and write the report of the cells that are finished.

    Args:
        folder: The study's folder.

    Raises:
        LexigraftError: No jobs were started in this folder, or the launcher's system does not answer.
    """
    store, here = JobStore(Path(folder)), Path(folder)
    launcher = store.launcher()
    over = []
    for attempt in _attempts(store, ()):
        handle = _handle(launcher, attempt)
        if handle is not None and launcher.poll(handle).over:
            launcher.fetch(handle, here)
            over.append(attempt.job)
    try:
        comparison = load_comparison(here)
    except LexigraftError:
        return Fetched(tuple(over), 0, None, None)
    finished = len(load_results(here, comparison))
    return Fetched(tuple(over), finished, len(comparison.cells), write_study_report(here) if finished else None)


def _attempts(store: JobStore, wanted: Sequence[str]) -> Iterator[Attempt]:
    names = store.jobs()
    for name in wanted:
        if not any(job.startswith(name) for job in names):
            raise UnknownName("job", name, names)
    for job in names:
        attempt = store.latest(job)
        if attempt is not None and (not wanted or any(job.startswith(name) for name in wanted)):
            yield attempt


def _handle(launcher: Launcher, attempt: Attempt) -> Handle | None:
    """A job's handle; that of a job whose handle was never written is looked for."""
    handle = attempt.handle or launcher.find(attempt.folder)
    return handle if handle is not None and handle.launcher == launcher.name else None


def _status(launcher: Launcher, attempt: Attempt) -> JobStatus:
    handle = _handle(launcher, attempt)
    if handle is None:
        state, words = JobState(State.QUEUED), "was not submitted yet"
    else:
        state = launcher.poll(handle)
        failed = state.over and state.state is not State.FINISHED
        words = masked(state.sentence(launcher.tail(handle, SHOWN_LINES) if failed else ()))
    return JobStatus(
        attempt.job,
        attempt.number,
        handle.id if handle else "",
        str(state.state),
        words,
        state.host,
        state.device,
        state.seconds,
        str(attempt.folder / "job.log"),
    )
