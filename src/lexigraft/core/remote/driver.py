"""Driver that starts jobs when they are ready, watches them, and tries failed ones again."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lexigraft.core.config.recipe import ExecutionSettings
from lexigraft.core.errors import LexigraftError
from lexigraft.core.remote.grace import Grace
from lexigraft.core.remote.job_files import CANCELLED, CREDENTIALS
from lexigraft.core.remote.job_state import JobState, State
from lexigraft.core.remote.job_store import Attempt, JobStore
from lexigraft.core.remote.launcher import Handle, Job, Launcher, Resources
from lexigraft.core.utils.secrets import masked

SHOWN_LINES = 5


@dataclass(frozen=True)
class Task:
    """A job that is to be done.

    Attributes:
        id: The job's name, safe as a folder's.
        title: Its name in messages.
        command: The command, with paths of the machine that it runs on.
        resources: What it asks for.
        after: The ids of tasks that must have finished before.
    """

    id: str
    title: str
    command: tuple[str, ...]
    resources: Resources
    after: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """How a task ended.

    Attributes:
        finished: Whether it did what it was to do.
        words: What became of it, with its log's last lines where it failed.
        handle: Its last job; None where none was started.
        stuck: Whether it was ended because it could not start.
    """

    finished: bool
    words: str
    handle: Handle | None = None
    stuck: bool = False


Accept = Callable[[Task, Handle], bool]
OnEnd = Callable[[Task, Outcome], None]


@dataclass
class _Running:
    task: Task
    handle: Handle
    found: bool
    waits: frozenset[str]
    """The jobs that its system lets it wait for."""
    state: State | None = None
    begun: bool = False
    stuck_since: float | None = None
    recalled: Outcome | None = None
    """How its task ends unless the job finishes all the same: it was cancelled before it had begun."""


@dataclass
class Driver:
    """Runs tasks as jobs of a launcher, at most ``parallel`` at a time.

    Attributes:
        launcher: The launcher.
        store: Where the jobs' folders are.
        parallel: Most jobs at a time.
        execution: How often a failed job is tried again, and the time between two looks.
        say: Called with a line on what happens.
    """

    launcher: Launcher
    store: JobStore
    parallel: int
    execution: ExecutionSettings = field(default_factory=ExecutionSettings)
    say: Callable[[str], None] = lambda text: None
    _env: dict[str, str] = field(default_factory=dict, repr=False)
    _trouble: str = ""

    def run(
        self,
        tasks: Sequence[Task],
        accept: Accept = lambda task, handle: True,
        on_end: OnEnd = lambda task, outcome: None,
        stuck_seconds: float = math.inf,
    ) -> dict[str, Outcome]:
        """Run tasks until each has finished, or has failed for good.

        A job of an earlier start that still runs is taken up, and one that has finished is not run again. Jobs outlive
        this process, however it ends. Where the launcher's system lets jobs wait for others, those that wait for a task
        are in its queue from the start.

        Args:
            tasks: The tasks.
            accept: Called with a task whose job ended well; brings its results here and says whether they are whole.
            on_end: Called when a task has come to its end.
            stuck_seconds: How long a job may be unable to start before it is ended.

        Returns:
            How each ended, by id.

        Raises:
            LexigraftError: The launcher's system refuses a job; those that run are left to run.
        """
        self._env = self.launcher.passed()
        self._accept, self._on_end, self._stuck_seconds = accept, on_end, stuck_seconds
        self._grace = Grace(self.launcher.late_seconds)
        self._ends: dict[str, Outcome] = {}
        self._running: list[_Running] = []
        self._after = {task.id: task.after for task in tasks}
        self._left = {task.id: self.execution.retries for task in tasks}
        self._waiting = [task for task in tasks if not self._take_up(task)]
        while self._waiting or self._running:
            self._drop_hopeless()
            self._submit_ready()
            if not self._look() and (self._running or self._waiting):
                time.sleep(self.execution.poll_seconds)
        return {task.id: self._ends[task.id] for task in tasks}

    def state(self, handle: Handle) -> JobState | None:
        """A job's state; None, with a message, where the launcher's system does not answer now."""
        try:
            found = self.launcher.poll(handle)
        except LexigraftError as error:
            self._complain(error)
            return None
        self._trouble = ""
        return found

    def _complain(self, error: LexigraftError) -> None:
        if str(error) != self._trouble:  # once, not at every look
            self._trouble = str(error)
            self.say(masked(f"no answer about the jobs, which run on: {error}"))

    def _take_up(self, task: Task) -> bool:
        """Find the task's job of an earlier start; a failed one does not count."""
        if (attempt := self.store.latest(task.id)) is None:
            return False
        handle = attempt.handle
        if handle is None and (handle := self.launcher.find(attempt.folder)) is not None:
            self.store.save_handle(attempt, handle)
        if handle is None or handle.launcher != self.launcher.name:
            return False
        found = self.state(handle)
        late = self.launcher.late_seconds and found is not None and found.state is State.LOST
        if found is not None and found.over and found.state is not State.FINISHED and not late:
            return False
        before = [self.store.latest(name) for name in task.after] if self.launcher.orders_jobs else []
        waits = frozenset(one.handle.id for one in before if one is not None and one.handle is not None)
        self._running.append(_Running(task, handle, True, waits))
        return True

    def _drop_hopeless(self) -> None:
        """Give up tasks that must not or cannot run any more, jobs that wait in a queue included."""
        for task in list(self._waiting):
            if why := self._hopeless(task):
                self._waiting.remove(task)
                self._end(task, Outcome(False, why))
        for job in self._running:
            if job.state is State.QUEUED and not job.begun and (why := self._hopeless(job.task)):
                # It may have begun since the last look, so that "not started" could be untrue.
                self._recall(job, Outcome(False, "was cancelled" if self.store.halted else why, job.handle))

    def _hopeless(self, task: Task) -> str:
        """Why a task must not begin any more; empty where it may."""
        failed = {name for name, end in self._ends.items() if not end.finished}
        if self.store.halted:
            return "was not started: the jobs were cancelled"
        if lacking := [name for name in task.after if name in failed]:
            return f"was not started: {', '.join(lacking)} failed"
        if failed and self.execution.on_failure == "stop":
            return "was not started: another one failed, and on_failure is 'stop'"
        return ""

    def _recall(self, job: _Running, outcome: Outcome) -> None:
        """Have a job cancelled that has not begun."""
        if job.recalled is None:
            try:
                self.launcher.cancel(job.handle)
            except LexigraftError as error:
                self._complain(error)
            else:
                job.recalled = outcome

    def _submit_ready(self) -> None:
        while (wave := self._next_wave()) is not None:
            self._submit(*wave)

    def _next_wave(self) -> tuple[list[Task], list[Handle], int] | None:
        """Tasks to submit, the jobs that they wait for, and how many may run at a time; None without any."""
        running = {job.task.id: job.handle for job in self._running}
        waves: dict[tuple[str, ...], list[Task]] = {}
        for task in self._waiting:
            unfinished = self._unfinished(task)
            if not unfinished or (self.launcher.orders_jobs and all(name in running for name in unfinished)):
                waves.setdefault(unfinished, []).append(task)
        for names, ready in waves.items():
            # What jobs wait for has ended when they begin, and takes no place then.
            free = self.parallel - len(running.keys() - self._with_ancestors(names))
            if free > 0:
                limited = ready if self.launcher.limits_parallel else ready[:free]
                return limited, [running[name] for name in names], free
        return None

    def _unfinished(self, task: Task) -> tuple[str, ...]:
        """The tasks that one waits for and that have not come to their end."""
        if not task.after:
            return ()
        pending = {one.id for one in self._waiting} | {job.task.id for job in self._running}
        return tuple(name for name in task.after if name in pending)

    def _with_ancestors(self, names: Iterable[str]) -> set[str]:
        found: set[str] = set()
        left = list(names)
        while left:
            found.add(name := left.pop())
            left += [one for one in self._after.get(name, ()) if one not in found]
        return found

    def _submit(self, tasks: Sequence[Task], after: Sequence[Handle], free: int) -> None:
        waits = frozenset(handle.id for handle in after)
        if self.launcher.limits_parallel or after:
            attempts = [self.store.next(task.id) for task in tasks]
            jobs = [self._job(task, attempt) for task, attempt in zip(tasks, attempts, strict=True)]
            handles = self.launcher.submit_many(jobs, free, after)
            for task, attempt, handle in zip(tasks, attempts, handles, strict=True):
                self._submitted(task, attempt, handle, waits)
            return
        for task in tasks:
            attempt = self.store.next(task.id)
            self._submitted(task, attempt, self.launcher.submit(*self._job(task, attempt)), waits)

    def _job(self, task: Task, attempt: Attempt) -> Job:
        return Job(task.command, task.resources, self._env, attempt.folder)

    def _submitted(self, task: Task, attempt: Attempt, handle: Handle, waits: frozenset[str]) -> None:
        self.store.save_handle(attempt, handle)
        self._waiting.remove(task)
        self._running.append(_Running(task, handle, False, waits))

    def _look(self) -> bool:
        """Look at every running job once; whether any came to its end."""
        moved = False
        for job in list(self._running):
            state = self.state(job.handle)
            if state is None:
                continue
            over = self._grace.over(job.handle, state)
            job.begun |= state.state is State.RUNNING or bool(state.host)
            if state.state is not job.state or (state.stuck and job.stuck_since is None):
                job.state = state.state
                if not state.over:
                    self.say(f"{job.task.title} {state.sentence()}")
            if state.stuck:
                job.stuck_since = job.stuck_since or time.monotonic()
                if time.monotonic() - job.stuck_since > self._stuck_seconds:
                    self._recall(job, Outcome(False, state.sentence(), job.handle, stuck=True))
            if over:
                moved |= self._over(job, state)
        return moved

    def _over(self, job: _Running, state: JobState) -> bool:
        """Deal with a job that has come to its end; False where its results cannot be brought here now."""
        finished = state.state is State.FINISHED
        if state.state is State.CANCELLED and self._waited_in_vain(job):
            if job.waits & {one.handle.id for one in self._running}:
                return False  # what became of that one, a later look shows
            self._running.remove(job)
            self._waiting.append(job.task)
            return True
        words = masked(state.sentence(self._tail(job.handle)))
        if finished:
            try:
                finished = self._accept(job.task, job.handle)
            except LexigraftError as error:
                self._complain(error)
                return False
        self._running.remove(job)
        # A job that its system killed outright could not remove them itself; another attempt has a folder of its own.
        (Path(job.handle.workdir) / CREDENTIALS).unlink(missing_ok=True)
        if finished:
            self._end(job.task, Outcome(True, words, job.handle))
        elif job.recalled is not None:
            self._end(job.task, job.recalled)
        elif job.found and state.state in (State.FINISHED, State.LOST):
            self._waiting.append(job.task)  # what an earlier start had made, or its job, is gone
        elif self._left[job.task.id] and (state.again or state.state is State.FINISHED) and not self.store.halted:
            self._left[job.task.id] -= 1
            self.say(f"{job.task.title} {words}; trying again")
            self._waiting.append(job.task)
        else:
            missing = "ended without an error, but its result is not there"
            self._end(job.task, Outcome(False, missing if state.state is State.FINISHED else words, job.handle))
        return True

    def _waited_in_vain(self, job: _Running) -> bool:
        """Whether its system has cancelled a job because one that it waited for failed, which may be tried again."""
        finished = {end.handle.id for end in self._ends.values() if end.finished and end.handle is not None}
        asked = job.recalled is not None or (Path(job.handle.workdir) / CANCELLED).exists()
        return not (asked or job.begun) and bool(job.waits - finished)

    def _tail(self, handle: Handle) -> list[str]:
        try:
            return self.launcher.tail(handle, SHOWN_LINES)
        except LexigraftError as error:
            self._complain(error)
            return []

    def _end(self, task: Task, outcome: Outcome) -> None:
        self._ends[task.id] = outcome
        self._on_end(task, outcome)
