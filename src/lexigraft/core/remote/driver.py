"""Driver that starts jobs when they are ready, watches them, and tries failed ones again."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lexigraft.core.config.recipe import ExecutionSettings
from lexigraft.core.errors import LexigraftError
from lexigraft.core.remote.job_files import CREDENTIALS
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
    """

    finished: bool
    words: str
    handle: Handle | None = None


Accept = Callable[[Task, Handle], bool]
OnEnd = Callable[[Task, Outcome], None]


@dataclass
class _Running:
    task: Task
    handle: Handle
    found: bool
    state: State | None = None


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
    ) -> dict[str, Outcome]:
        """Run tasks until each has finished, or has failed for good.

        A job of an earlier start that still runs is taken up, and one that has finished is not run again. Jobs outlive
        this process, however it ends.

        Args:
            tasks: The tasks.
            accept: Called with a task whose job ended well; brings its results here and says whether they are whole.
            on_end: Called when a task has come to its end.

        Returns:
            How each ended, by id.

        Raises:
            LexigraftError: The launcher's system refuses a job; those that run are left to run.
        """
        self._env = self.launcher.passed()
        self._accept, self._on_end = accept, on_end
        self._ends: dict[str, Outcome] = {}
        self._running: list[_Running] = []
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
        if found is not None and found.over and found.state is not State.FINISHED:
            return False
        self._running.append(_Running(task, handle, found=True))
        return True

    def _drop_hopeless(self) -> None:
        """Give up tasks that must not or cannot run any more."""
        failed = {name for name, end in self._ends.items() if not end.finished}
        stopped = failed and self.execution.on_failure == "stop"
        for task in list(self._waiting):
            why = ""
            if self.store.halted:
                why = "was not started: the jobs were cancelled"
            elif lacking := [name for name in task.after if name in failed]:
                why = f"was not started: {', '.join(lacking)} failed"
            elif stopped:
                why = "was not started: another one failed, and on_failure is 'stop'"
            if why:
                self._waiting.remove(task)
                self._end(task, Outcome(False, why))

    def _submit_ready(self) -> None:
        done = {name for name, end in self._ends.items() if end.finished}
        known = {task.id for task in self._waiting} | {job.task.id for job in self._running} | set(self._ends)
        ready = [task for task in self._waiting if all(name in done or name not in known for name in task.after)]
        free = self.parallel - len(self._running)
        if free <= 0 or not ready:
            return
        if self.launcher.limits_parallel:
            attempts = [self.store.next(task.id) for task in ready]
            jobs = [self._job(task, attempt) for task, attempt in zip(ready, attempts, strict=True)]
            for task, attempt, handle in zip(ready, attempts, self.launcher.submit_many(jobs, free), strict=True):
                self._submitted(task, attempt, handle)
            return
        for task in ready[:free]:
            attempt = self.store.next(task.id)
            self._submitted(task, attempt, self.launcher.submit(*self._job(task, attempt)))

    def _job(self, task: Task, attempt: Attempt) -> Job:
        return Job(task.command, task.resources, self._env, attempt.folder)

    def _submitted(self, task: Task, attempt: Attempt, handle: Handle) -> None:
        self.store.save_handle(attempt, handle)
        self._waiting.remove(task)
        self._running.append(_Running(task, handle, found=False))

    def _look(self) -> bool:
        """Look at every running job once; whether any came to its end."""
        moved = False
        for job in list(self._running):
            state = self.state(job.handle)
            if state is None:
                continue
            if state.state is not job.state:
                job.state = state.state
                if not state.over:
                    self.say(f"{job.task.title} {state.sentence()}")
            if state.over:
                moved |= self._over(job, state)
        return moved

    def _over(self, job: _Running, state: JobState) -> bool:
        """Deal with a job that has come to its end; False where its results cannot be brought here now."""
        words = masked(state.sentence(self._tail(job.handle)))
        finished = state.state is State.FINISHED
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
        elif job.found and state.state is State.FINISHED:
            self._waiting.append(job.task)  # what an earlier start had made is gone
        elif self._left[job.task.id] and (state.again or state.state is State.FINISHED) and not self.store.halted:
            self._left[job.task.id] -= 1
            self.say(f"{job.task.title} {words}; trying again")
            self._waiting.append(job.task)
        else:
            missing = "ended without an error, but its result is not there"
            self._end(job.task, Outcome(False, missing if state.state is State.FINISHED else words, job.handle))
        return True

    def _tail(self, handle: Handle) -> list[str]:
        try:
            return self.launcher.tail(handle, SHOWN_LINES)
        except LexigraftError as error:
            self._complain(error)
            return []

    def _end(self, task: Task, outcome: Outcome) -> None:
        self._ends[task.id] = outcome
        self._on_end(task, outcome)
