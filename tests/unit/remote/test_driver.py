"""The driver of jobs: what is ready runs, what fails is tried again, and nothing is ever started a second time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest

from fixtures.jobs import PATIENCE
from lexigraft.core.config.recipe import ExecutionSettings
from lexigraft.core.errors import LexigraftError
from lexigraft.core.registry import make
from lexigraft.core.remote.driver import Driver, Outcome, Task
from lexigraft.core.remote.job_files import JobFiles
from lexigraft.core.remote.job_state import Evidence, State
from lexigraft.core.remote.job_store import JobStore
from lexigraft.core.remote.launcher import Handle, Job, Launcher, Resources
from lexigraft.core.utils.files import lock_file
from lexigraft.plugins.launchers.local import Local

SOURCES = Path(__file__).parents[3] / "src"


@pytest.fixture
def local(monkeypatch: pytest.MonkeyPatch) -> Launcher:
    monkeypatch.setenv("PYTHONPATH", str(SOURCES))
    launcher: Launcher = make("launcher", "local", {"heartbeat": "0.2s"})
    return launcher


def task(name: str, script: str, *after: str) -> Task:
    return Task(name, name, ("bash", "-c", script), Resources(), after)


def driver(launcher: Launcher, folder: Path, parallel: int = 4, **execution: object) -> Driver:
    said: list[str] = []
    made = Driver(
        launcher,
        JobStore(folder),
        parallel,
        ExecutionSettings(**({"poll_seconds": 0.05} | execution)),  # type: ignore[arg-type]
        said.append,
    )
    made.said = said  # type: ignore[attr-defined]
    return made


def starts(folder: Path, job: str) -> int:
    return len([p for p in (folder / "remote" / job).iterdir() if p.is_dir()])


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_tasks_run_after_those_they_wait_for(local: Launcher, tmp_path: Path) -> None:
    order = tmp_path / "order"
    tasks = [task("b", f"echo b >> {order}", "a"), task("a", f"sleep 0.2; echo a >> {order}"), task("c", "exit 2")]
    tasks += [task("d", f"echo d >> {order}", "c")]
    ended: list[str] = []
    ends = driver(local, tmp_path).run(tasks, on_end=lambda one, outcome: ended.append(one.id))
    assert order.read_text().split() == ["a", "b"]
    assert [name for name, end in ends.items() if end.finished] == ["b", "a"]
    assert "failed with exit code 2" in ends["c"].words
    assert ends["d"].words == "was not started: c failed"
    assert sorted(ended) == ["a", "b", "c", "d"]


def test_no_more_jobs_than_asked_for_run_at_a_time(local: Launcher, tmp_path: Path) -> None:
    mark = f"date +%s.%N >> {tmp_path}/$0"
    tasks = [Task(n, n, ("bash", "-c", f"{mark}; sleep 0.3; {mark}", n), Resources()) for n in "abcd"]
    driver(local, tmp_path, parallel=2).run(tasks)
    spans = sorted(tuple(map(float, (tmp_path / name).read_text().split())) for name in "abcd")
    for begun, _ in spans:
        assert sum(one <= begun < other for one, other in spans) <= 2


def test_a_failed_job_is_tried_again_and_a_users_mistake_is_not(local: Launcher, tmp_path: Path) -> None:
    tasks = [task("flaky", f"[ -e {tmp_path}/x ] || {{ touch {tmp_path}/x; exit 1; }}"), task("wrong", "exit 2")]
    made = driver(local, tmp_path, retries=2)
    ends = made.run([*tasks, task("bad", "echo because; exit 5")])
    assert [end.finished for end in ends.values()] == [True, False, False]
    assert [starts(tmp_path, name) for name in ("flaky", "wrong", "bad")] == [2, 1, 3]
    assert ends["bad"].words.endswith("its log ends with: because")
    assert any("flaky failed with exit code 1" in line and "trying again" in line for line in made.said)  # type: ignore[attr-defined]


def test_one_failure_may_stop_the_rest(local: Launcher, tmp_path: Path) -> None:
    tasks = [task("bad", "exit 2"), task("good", "true")]
    ends = driver(local, tmp_path, parallel=1, on_failure="stop").run(tasks)
    assert "on_failure is 'stop'" in ends["good"].words
    assert not (tmp_path / "remote" / "good").exists()


def test_a_killed_job_is_tried_again(local: Launcher, tmp_path: Path) -> None:
    script = f"if [ -e {tmp_path}/x ]; then echo well; else touch {tmp_path}/x; kill -9 $PPID; sleep 300; fi"
    ends = driver(local, tmp_path).run([task("killed", script)])
    assert ends["killed"].finished
    assert starts(tmp_path, "killed") == 2


def test_a_result_that_is_not_there_counts_as_a_failure(local: Launcher, tmp_path: Path) -> None:
    ends = driver(local, tmp_path, retries=1).run([task("a", "true")], accept=lambda one, handle: False)
    assert ends["a"] == Outcome(False, "ended without an error, but its result is not there", ends["a"].handle)
    assert starts(tmp_path, "a") == 2


def test_cancelled_jobs_are_not_tried_again_and_no_more_are_started(local: Launcher, tmp_path: Path) -> None:
    store = JobStore(tmp_path)

    def cancel(one: Task, outcome: Outcome) -> None:
        if one.id == "first":
            until(lambda: (running := store.latest("long")) is not None and running.handle is not None)
            store.halt()
            running = store.latest("long")
            assert running is not None
            assert running.handle is not None
            local.cancel(running.handle)

    tasks = [task("first", "sleep 0.3"), task("long", "sleep 300"), task("never", "true")]
    ends = driver(local, tmp_path, parallel=2).run(tasks, on_end=cancel)
    assert "was cancelled" in ends["long"].words
    assert ends["never"].words == "was not started: the jobs were cancelled"
    assert starts(tmp_path, "long") == 1


DRIVE = """
import sys
from pathlib import Path
from lexigraft.core.config.recipe import ExecutionSettings
from lexigraft.core.registry import make
from lexigraft.core.remote.driver import Driver, Task
from lexigraft.core.remote.job_store import JobStore
from lexigraft.core.remote.launcher import Resources
folder = Path(sys.argv[1])
script = f"echo $0 >> {folder}/begun; while [ ! -e {folder}/go ]; do sleep 0.05; done; echo $0 >> {folder}/ended"
tasks = [Task(name, name, ("bash", "-c", script, name), Resources()) for name in "abc"]
drive = Driver(make("launcher", "local"), JobStore(folder), 2, ExecutionSettings(poll_seconds=0.05), print)
assert all(end.finished for end in drive.run(tasks).values())
"""


@pytest.mark.parametrize("lost", [False, True])
def test_a_killed_driver_goes_on_with_the_jobs_it_had(lost: bool, local: Launcher, tmp_path: Path) -> None:
    command = [sys.executable, "-c", DRIVE, str(tmp_path)]
    begun = tmp_path / "begun"
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    until(lambda: begun.exists() and len(begun.read_text().split()) == 2)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    if lost:  # it was killed between the start of a job and the writing of its handle
        (tmp_path / "remote" / "a" / "1" / "handle.json").unlink()
    second = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    (tmp_path / "go").touch()
    assert second.wait(PATIENCE) == 0
    assert sorted(begun.read_text().split()) == sorted((tmp_path / "ended").read_text().split()) == ["a", "b", "c"]
    third = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    assert (third.returncode, third.stdout) == (0, "")
    assert begun.read_text().count("a") == 1


@dataclass(frozen=True)
class Waves(Local):
    """Limits itself, as a job array does; here one job after the other."""

    name: ClassVar[str] = "waves"
    limits_parallel: ClassVar[bool] = True
    waves: ClassVar[list[tuple[int, int]]] = []

    def submit_many(self, jobs: Sequence[Job], parallel: int, after: Sequence[Handle] = ()) -> list[Handle]:
        self.waves.append((len(jobs), parallel))
        return super().submit_many(jobs, parallel, after)


def test_a_launcher_that_limits_itself_gets_a_whole_wave(local: Launcher, tmp_path: Path) -> None:
    made = driver(Waves(heartbeat=0.2), tmp_path, parallel=2)
    ends = made.run([task(name, "true") for name in "abc"])
    assert all(end.finished for end in ends.values())
    assert Waves.waves == [(3, 2)]


@dataclass(frozen=True)
class Devices(Local):
    """Jobs named `held` wait for a device."""

    name: ClassVar[str] = "devices"
    limits_parallel: ClassVar[bool] = True
    locks: str = ""

    def wrapped(self, command: Sequence[str], folder: str, *options: str) -> list[str]:
        waits = ("--devices", "0", "--device-locks", self.locks) if "held" in command[-1] else ()
        return super().wrapped(command, folder, *options, *waits)


def test_one_failure_stops_jobs_that_wait_in_a_queue_and_they_run_when_asked_again(
    local: Launcher, tmp_path: Path
) -> None:
    launcher, ran = Devices(heartbeat=0.2, locks=str(tmp_path)), tmp_path / "ran"
    mended = tmp_path / "mended"
    tasks = [
        task("bad", f"sleep 1; test -e {mended} || exit 2"),
        *(task(n, f": held; echo {n} >> {ran}") for n in "ab"),
    ]
    with lock_file(tmp_path / "0.lock", LexigraftError("busy")):
        ends = driver(launcher, tmp_path, parallel=1, on_failure="stop").run(tasks)
    assert [ends[n].words for n in "ab"] == ["was not started: another one failed, and on_failure is 'stop'"] * 2
    handles = [attempt.handle for n in "ab" if (attempt := JobStore(tmp_path).latest(n)) is not None]
    assert [launcher.poll(one).state for one in handles if one is not None] == [State.CANCELLED] * 2
    assert not ran.exists()
    mended.touch()
    again = driver(launcher, tmp_path, parallel=1, on_failure="stop").run(tasks)
    assert all(end.finished for end in again.values())
    assert sorted(ran.read_text().split()) == ["a", "b"]


@dataclass(frozen=True)
class Ordered(Local):
    """Lets jobs wait for others itself."""

    name: ClassVar[str] = "ordered"
    limits_parallel: ClassVar[bool] = True
    orders_jobs: ClassVar[bool] = True
    asked: ClassVar[list[tuple[int, int, list[str]]]] = []

    def submit_many(self, jobs: Sequence[Job], parallel: int, after: Sequence[Handle] = ()) -> list[Handle]:
        self.asked.append((len(jobs), parallel, [Path(one.workdir).parent.name for one in after]))
        wait = "".join(f"until [ -e {one.workdir}/ended.json ]; do sleep 0.05; done; " for one in after)
        commands = [["bash", "-c", f'{wait}exec "$@"', "bash", *job.command] for job in jobs]
        return [self.submit(command, *job[1:]) for command, job in zip(commands, jobs, strict=True)]


def test_jobs_that_wait_for_others_are_in_the_queue_from_the_start_where_it_orders_them(
    local: Launcher, tmp_path: Path
) -> None:
    order = tmp_path / "order"
    tasks = [task(name, f"echo {name} >> {order}", *after) for name, after in {"a": "", "b": "a", "c": "a"}.items()]
    ends = driver(Ordered(heartbeat=0.2), tmp_path, parallel=1).run([*tasks, task("d", f"echo d >> {order}", "a", "b")])
    assert all(end.finished for end in ends.values())
    # d could run beside b's neighbor c, and only one job may run at a time: it is submitted when one of them has ended.
    assert Ordered.asked[:2] == [(1, 1, []), (2, 1, ["a"])]
    assert len(Ordered.asked) == 3
    assert order.read_text().split()[0] == "a"
    assert sorted(order.read_text().split()) == ["a", "b", "c", "d"]
    assert {starts(tmp_path, name) for name in "abcd"} == {1}


@dataclass(frozen=True)
class Late(Local):
    """A shared file system that shows a job's last word some looks after its end, or never."""

    name: ClassVar[str] = "late"
    late_seconds: ClassVar[float] = 0.5
    looks: ClassVar[list[float]] = []

    def files(self, handle: Handle) -> JobFiles:
        files = JobFiles.read(Path(handle.workdir))
        if files.ended is not None:
            self.looks.append(time.monotonic())
        hidden = files.ended is not None and time.monotonic() - self.looks[0] < 0.3
        return replace(files, ended=None) if hidden else files


def test_a_job_whose_last_word_comes_late_is_not_run_again_and_one_that_is_lost_is(
    local: Launcher, tmp_path: Path
) -> None:
    made = driver(Late(heartbeat=0.2), tmp_path, retries=1)
    assert made.run([task("slow", "true")])["slow"].finished
    assert starts(tmp_path, "slow") == 1
    assert Late.looks[-1] - Late.looks[0] >= 0.3, "it was looked at while its last word was hidden"
    lost = made.run([task("lost", "kill -9 $PPID; sleep 300")])["lost"]
    assert not lost.finished
    assert "gone without a last word" in lost.words
    assert starts(tmp_path, "lost") == 2


@dataclass(frozen=True)
class Stuck(Local):
    """A system that cannot start a job."""

    name: ClassVar[str] = "stuck"

    def evidence(self, handle: Handle) -> Evidence:
        if (Path(handle.workdir) / "cancelled.json").exists():
            return super().evidence(handle)
        return Evidence(True, State.QUEUED, "no such image: x", stuck=True)


def test_a_job_that_cannot_start_is_ended_after_some_time(local: Launcher, tmp_path: Path) -> None:
    made = driver(Stuck(heartbeat=0.2), tmp_path)
    end = made.run([task("a", "sleep 300")], stuck_seconds=0.3)["a"]
    assert (end.finished, end.stuck) == (False, True)
    assert "(no such image: x)" in end.words
    assert len([line for line in made.said if "no such image" in line]) == 1  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Shaky(Local):
    """A system that does not answer for a while."""

    name: ClassVar[str] = "shaky"
    asked: ClassVar[list[int]] = []

    def evidence(self, handle: Handle) -> Evidence:
        self.asked.append(1)
        if len(self.asked) < 5:
            raise LexigraftError("the controller does not answer", "host", "Wait")
        return super().evidence(handle)


def test_jobs_are_waited_for_while_their_system_does_not_answer(local: Launcher, tmp_path: Path) -> None:
    made = driver(Shaky(heartbeat=0.2), tmp_path)
    assert made.run([task("a", "true")])["a"].finished
    assert len([line for line in made.said if "no answer about the jobs" in line]) == 1  # type: ignore[attr-defined]
    assert starts(tmp_path, "a") == 1
    latest = JobStore(tmp_path).latest("a")
    assert latest is not None
    assert latest.handle is not None
    assert local.poll(latest.handle).state is State.FINISHED


def test_a_job_that_was_killed_outright_leaves_no_credentials(local: Launcher, tmp_path: Path) -> None:
    script = "echo '{}' > .environment.json; kill -9 $PPID; sleep 300"
    ends = driver(local, tmp_path, retries=0).run([task("killed", script)])
    assert not ends["killed"].finished
    assert not list(tmp_path.rglob(".environment.json"))
