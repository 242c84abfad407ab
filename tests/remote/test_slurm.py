"""The launcher `slurm` on a real cluster of one machine, which the tests start themselves."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from fixtures.jobs import AddPlugin, told_evaluator, until
from fixtures.slurm_cluster import PROGRAMS, Cluster, skip_unless, started_cluster, wait_until
from lexigraft.core.config.recipe import ExecutionSettings
from lexigraft.core.errors import LexigraftError
from lexigraft.core.registry import make
from lexigraft.core.remote.driver import Driver, Task
from lexigraft.core.remote.job_files import CREDENTIALS, JobFiles, read_json
from lexigraft.core.remote.job_state import JobState, State
from lexigraft.core.remote.job_store import JobStore
from lexigraft.core.remote.launcher import Handle, Job, Launcher

pytestmark = [pytest.mark.remote, pytest.mark.timeout(900)]
LONG = 300.0
NOTICE = """
if "SLURM_JOB_ID" in os.environ:
    subprocess.run(["scancel", "--batch", "--signal=USR1", os.environ["SLURM_JOB_ID"]], check=True)
    while not signal.getsignal(signal.SIGTERM).__self__.received:
        time.sleep(0.05)
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    skip_unless(*PROGRAMS)
    with started_cluster(Cluster(tmp_path_factory.mktemp("cluster"))) as one:
        yield one


@pytest.fixture(scope="module")
def slow(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Handle:
    """A job that is over its time limit after a minute or two, while the other tests run."""
    return submitted(slurm(time="1m", requeues=0, notice="1s"), tmp_path_factory.mktemp("slow"), "echo on; sleep 600")


@pytest.fixture(autouse=True)
def _slow_first(slow: Handle) -> None:
    """Start the slow job before any test."""


def slurm(**fields: Any) -> Launcher:
    launcher: Launcher = make("launcher", "slurm", {"heartbeat": "0.5s", "cpus": 1, "memory": "200MiB", **fields})
    return launcher


def job(launcher: Launcher, folder: Path, script: str, **env: str) -> Job:
    folder.mkdir(parents=True, exist_ok=True)
    return Job(["bash", "-c", script], launcher.resources, env, folder)


def submitted(launcher: Launcher, folder: Path, script: str, **env: str) -> Handle:
    handle = launcher.submit(*job(launcher, folder, script, **env))
    return Handle(**json.loads(json.dumps(handle.as_json())))


def over(launcher: Launcher, handle: Handle, patience: float = LONG) -> JobState:
    """Wait for the end of a job, with a long patience."""
    deadline = time.monotonic() + patience
    while not (found := launcher.poll(handle)).over:
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    return found


def started(launcher: Launcher, handle: Handle) -> dict[str, Any]:
    """What a job wrote when it began to run; its command has printed a line by now."""
    wait_until(lambda: bool(launcher.tail(handle, 1)) and _started(handle) is not None, "the job runs")
    return _started(handle) or {}


def _started(handle: Handle) -> dict[str, Any] | None:
    return read_json(Path(handle.workdir) / "started.json")


def test_a_job_that_finishes(cluster: Cluster, tmp_path: Path) -> None:
    launcher = slurm(before=["export GREETING=hello"])
    handle = submitted(launcher, tmp_path / "job", 'echo "$GREETING from $SLURM_JOB_PARTITION"')
    found = over(launcher, handle)
    assert (found.state, found.exit_code, found.mlflow) == (State.FINISHED, 0, "FINISHED")
    assert launcher.tail(handle, 5) == ["hello from main"]
    assert launcher.find(tmp_path / "job") == handle


@pytest.mark.parametrize(
    ("script", "state", "words"),
    [
        ("echo oops; exit 3", State.FAILED, "failed with exit code 3 on"),
        ("exec not-a-program", State.FAILED, "failed with exit code 127"),
        ("python3 -c 'x = bytearray(900 * 2**20); import time; time.sleep(60)'", State.OUT_OF_MEMORY, "more memory"),
    ],
)
def test_a_job_that_fails(cluster: Cluster, tmp_path: Path, script: str, state: State, words: str) -> None:
    launcher = slurm()
    handle = submitted(launcher, tmp_path / "job", script)
    found = over(launcher, handle)
    assert found.state is state, found
    assert words in found.sentence(launcher.tail(handle, 5))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"python": "/nowhere/python"}, "/nowhere/python: No such file or directory"),
        ({"before": ["ls /nowhere/data", "echo on"]}, "cannot access '/nowhere/data'"),
        ({"modules": ["no-such-module"]}, "module"),
    ],
)
def test_a_job_that_cannot_begin_says_so(cluster: Cluster, tmp_path: Path, fields: dict[str, Any], words: str) -> None:
    launcher = slurm(**fields)
    handle = submitted(launcher, tmp_path / "job", "true", TOKEN="planted")
    found = over(launcher, handle)
    assert found.state is State.FAILED
    said = found.sentence(launcher.tail(handle, 5))
    assert words in said.partition("its log ends with: ")[2]
    assert "| on" not in said
    assert not (tmp_path / "job" / CREDENTIALS).exists()


def test_six_jobs_run_two_at_a_time_and_one_of_them_is_cancelled(cluster: Cluster, tmp_path: Path) -> None:
    launcher, running = slurm(), tmp_path / "running"
    running.mkdir()
    script = f"cd {running}; touch $SLURM_ARRAY_TASK_ID; ls | wc -l; sleep 1.5; rm $SLURM_ARRAY_TASK_ID"
    handles = launcher.submit_many([job(launcher, tmp_path / f"job-{n}", script) for n in range(6)], 2)
    assert len({handle.id.partition("_")[0] for handle in handles}) == 1
    launcher.cancel(handles[5])
    assert over(launcher, handles[5]).state is State.CANCELLED
    assert [over(launcher, handle).state for handle in handles[:5]] == [State.FINISHED] * 5
    together = [int(launcher.tail(handle, 1)[0]) for handle in handles[:5]]
    assert max(together) == 2
    assert not launcher.tail(handles[5], 1)


def test_more_jobs_than_an_array_may_have_are_arrays_one_after_the_other(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lexigraft.plugins.launchers._slurm.commands.largest_array", lambda: 2)
    launcher = slurm()
    script = f"ls {tmp_path}/made | wc -l; sleep 1; touch {tmp_path}/made/$SLURM_JOB_ID"
    (tmp_path / "made").mkdir()
    handles = launcher.submit_many([job(launcher, tmp_path / f"job-{n}", script) for n in range(3)], 2)
    assert len({handle.id.partition("_")[0] for handle in handles}) == 2
    assert [over(launcher, handle).state for handle in handles] == [State.FINISHED] * 3
    assert launcher.tail(handles[2], 1) == ["2"]


def test_a_running_job_is_cancelled_with_all_its_processes(cluster: Cluster, tmp_path: Path) -> None:
    launcher = slurm()
    handle = submitted(launcher, tmp_path / "job", "sleep 600 & echo $!; wait", TOKEN="planted")
    started(launcher, handle)
    launcher.cancel(handle)
    found = over(launcher, handle)
    assert (found.state, found.mlflow, found.again) == (State.CANCELLED, "KILLED", False)
    wait_until(lambda: not Path(f"/proc/{launcher.tail(handle, 1)[0]}").exists(), "its process is gone")
    wait_until(lambda: not (tmp_path / "job" / CREDENTIALS).exists(), "its variables are gone")
    launcher.cancel(handle)


def test_a_waiting_job_that_somebody_else_cancels_and_one_that_slurm_does_not_know(
    cluster: Cluster, tmp_path: Path
) -> None:
    launcher = slurm(options=["--hold"])
    handle = submitted(launcher, tmp_path / "job", "true")
    cluster.run("scancel", handle.id)
    assert over(launcher, handle).state is State.CANCELLED
    found = launcher.poll(replace(handle, id="4000000_0"))
    assert (found.state, found.reason) == (State.LOST, "Slurm no longer knows the job")


def test_a_job_waits_for_another_and_is_cancelled_when_that_fails(cluster: Cluster, tmp_path: Path) -> None:
    launcher = slurm()
    stage = submitted(launcher, tmp_path / "stage", f"sleep 2; touch {tmp_path}/made")
    (cell,) = launcher.submit_many([job(launcher, tmp_path / "cell", f"ls {tmp_path}/made")], 1, after=[stage])
    assert over(launcher, cell).state is State.FINISHED
    stage = submitted(launcher, tmp_path / "other", "sleep 2; exit 1")
    (cell,) = launcher.submit_many([job(launcher, tmp_path / "never", "true")], 1, after=[stage])
    found = over(launcher, cell)
    assert (found.state, found.reason) == (State.CANCELLED, "Slurm: CANCELLED, DependencyNeverSatisfied")


def test_stages_that_wait_for_one_that_is_tried_again_are_in_the_queue_and_run_after_it(
    cluster: Cluster, tmp_path: Path
) -> None:
    launcher, made = slurm(), tmp_path / "made"
    flaky = f"sleep 3; echo x >> {tmp_path}/tries; [ $(wc -l < {tmp_path}/tries) = 2 ] && touch {made}"
    commands = {
        "first": (flaky, ()),
        "second": (f"ls {made}", ("first",)),
        "third": (f"ls {made}", ("first", "second")),
    }
    tasks = [Task(n, n, ("bash", "-c", text), launcher.resources, after) for n, (text, after) in commands.items()]
    seen: list[str] = []

    def queue(line: str) -> None:
        seen.append(cluster.run("squeue", "--noheader", "--format=%F %T %r %E"))

    driver = Driver(launcher, JobStore(tmp_path), 1, ExecutionSettings(poll_seconds=0.2), queue)
    ends = driver.run(tasks)
    assert [end.words for end in ends.values() if not end.finished] == []
    assert any("RUNNING" in text and "Dependency afterok:" in text for text in seen), seen
    assert (tmp_path / "tries").read_text() == "x\nx\n"
    given_up = Driver(launcher, JobStore(tmp_path / "b"), 1, ExecutionSettings(poll_seconds=0.2, retries=0)).run(
        [replace(tasks[0], command=("bash", "-c", "sleep 2; exit 1")), tasks[1], tasks[2]]
    )
    assert "failed with exit code 1" in given_up["first"].words
    assert given_up["second"].words == "was not started: first failed"
    assert given_up["third"].words.startswith("was not started: first")


def test_after_a_failure_jobs_that_wait_in_the_array_are_cancelled_where_the_recipe_says_stop(
    cluster: Cluster, tmp_path: Path
) -> None:
    launcher, ran = slurm(), tmp_path / "ran"
    command = ("bash", "-c", f"echo x >> {ran}; [ $(wc -l < {ran}) = 1 ] && exit 2; sleep 5")
    tasks = [Task(f"cell-{n}", f"cell {n}", command, launcher.resources) for n in range(6)]
    settings = ExecutionSettings(poll_seconds=0.2, on_failure="stop")
    ends = Driver(launcher, JobStore(tmp_path), 1, settings).run(tasks)
    words = [end.words for end in ends.values()]
    stopped = [text for text in words if text == "was not started: another one failed, and on_failure is 'stop'"]
    assert len([text for text in words if "failed with exit code 2" in text]) == 1
    begun = ran.read_text().count("x")  # Slurm may have begun another one before the failure was seen
    assert (begun, len(stopped)) in ((1, 5), (2, 4))
    assert cluster.run("squeue", "--noheader", "--states=PENDING") == ""


def test_notice_before_the_time_limit_sends_a_job_back_to_the_queue(cluster: Cluster, tmp_path: Path) -> None:
    launcher = slurm(time="1m", notice="55s")  # Slurm looks at its clock twice a minute
    script = (
        f"echo $TOKEN >> {tmp_path}/seen; echo start; [ -e {tmp_path}/half ] || {{ touch {tmp_path}/half; sleep 600; }}"
    )
    handle = submitted(launcher, tmp_path / "job", script, TOKEN="planted")
    started(launcher, handle)
    wait_until((tmp_path / "half").exists, "half of its work is done")
    until(launcher, handle, State.QUEUED)
    cluster.now(handle.id)
    assert over(launcher, handle).state is State.FINISHED
    assert launcher.tail(handle, 5) == ["start", "start"]
    assert (tmp_path / "seen").read_text() == "planted\nplanted\n"
    assert (_started(handle) or {})["attempt"] == 2
    assert not (tmp_path / "job" / CREDENTIALS).exists()


def test_a_job_goes_back_to_the_queue_no_more_often_than_allowed(cluster: Cluster, tmp_path: Path) -> None:
    launcher = slurm(requeues=0)
    handle = submitted(launcher, tmp_path / "job", "echo start; sleep 4; echo end")
    started(launcher, handle)
    cluster.run("scancel", "--batch", "--signal=USR1", handle.id)
    assert over(launcher, handle).state is State.FINISHED
    assert launcher.tail(handle, 5) == ["start", "end"]


def test_a_job_whose_process_was_killed_is_requeued(cluster: Cluster, tmp_path: Path) -> None:
    launcher = slurm()
    script = f"echo start; [ -e {tmp_path}/half ] || {{ touch {tmp_path}/half; sleep 600; }}"
    handle = submitted(launcher, tmp_path / "job", script)
    pid = started(launcher, handle)["pid"]
    wait_until((tmp_path / "half").exists, "half of its work is done")
    os.kill(pid, signal.SIGKILL)
    found = over(launcher, handle)
    assert (found.state, found.again) == (State.FAILED, True)
    assert "NonZeroExitCode" in found.reason
    cluster.run("scontrol", "requeue", handle.id)
    cluster.now(handle.id)
    wait_until(lambda: launcher.poll(handle).state is State.FINISHED, "the job finishes")


def test_a_job_makes_room_for_a_more_urgent_one(cluster: Cluster, tmp_path: Path) -> None:
    common = slurm(cpus=6)
    script = f"echo start; [ -e {tmp_path}/half ] || {{ touch {tmp_path}/half; sleep 600; }}"
    handle = submitted(common, tmp_path / "common", script)
    started(common, handle)
    wait_until((tmp_path / "half").exists, "half of its work is done")
    urgent = slurm(partition="urgent", cpus=6)
    assert over(urgent, submitted(urgent, tmp_path / "urgent", "true")).state is State.FINISHED
    until(common, handle, State.QUEUED)
    cluster.now(handle.id)
    assert over(common, handle).state is State.FINISHED


def test_a_controller_that_is_restarted_in_the_middle(cluster: Cluster, tmp_path: Path) -> None:
    launcher = slurm()
    handle = submitted(launcher, tmp_path / "job", f"echo on; until [ -e {tmp_path}/go ]; do sleep 0.1; done")
    started(launcher, handle)
    cluster.stop_controller()
    assert launcher.poll(handle).state is State.RUNNING
    (tmp_path / "go").touch()
    wait_until(lambda: JobFiles.read(tmp_path / "job").ended is not None, "the job ends")
    assert launcher.poll(handle).state is State.FINISHED
    cluster.start_controller()
    assert over(launcher, submitted(launcher, tmp_path / "next", "true")).state is State.FINISHED


def test_a_submission_whose_process_was_killed_is_found(cluster: Cluster, tmp_path: Path) -> None:
    launcher = slurm(options=["--hold"])
    assert launcher.find(tmp_path) is None
    (tmp_path / "job").mkdir()
    program = (
        "import os, pathlib\nfrom lexigraft.core.registry import make\n"
        "launcher = make('launcher', 'slurm', {'options': ['--hold'], 'cpus': 1, 'memory': '200MiB'})\n"
        f"launcher.submit(['echo', 'done'], launcher.resources, {{}}, pathlib.Path({str(tmp_path / 'job')!r}))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == -signal.SIGKILL
    handle = launcher.find(tmp_path / "job")
    assert handle is not None
    assert launcher.poll(handle).state is State.QUEUED
    assert "JobHeldUser" in launcher.poll(handle).reason
    cluster.run("scontrol", "release", handle.id)
    assert over(launcher, handle).state is State.FINISHED
    assert launcher.find(tmp_path / "job") == handle


def test_a_partition_that_does_not_exist_is_refused_in_the_words_of_sbatch(cluster: Cluster, tmp_path: Path) -> None:
    launcher = slurm(partition="gpu-large")
    with pytest.raises(LexigraftError, match="sbatch refuses such jobs: invalid partition specified: gpu-large"):
        launcher.check()
    with pytest.raises(LexigraftError, match="sbatch refuses the job: invalid partition specified: gpu-large"):
        submitted(launcher, tmp_path / "job", "true", TOKEN="planted")
    assert not (tmp_path / "job" / CREDENTIALS).exists()
    assert launcher.find(tmp_path / "job") is None
    slurm().check()


def test_more_than_any_machine_has_is_refused_before_anything_runs(cluster: Cluster) -> None:
    with pytest.raises(LexigraftError, match="not available"):
        slurm(memory="900GiB").check()
    with pytest.raises(LexigraftError, match="not available"):
        slurm(gpus=8).check()
    with pytest.raises(LexigraftError, match="Invalid generic resource"):
        slurm(gres="tpu:1").check()


def test_secrets_are_in_no_script_log_list_of_processes_or_record(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTHER_TOKEN", "planted-unnamed")
    launcher = slurm()
    script = 'printf %s "$NAMED_TOKEN/$OTHER_TOKEN" | sha256sum; sleep 600'
    handle = submitted(launcher, tmp_path / "job", script, NAMED_TOKEN="planted-named")
    started(launcher, handle)
    assert launcher.tail(handle, 1) == [f"{sha256(b'planted-named/').hexdigest()}  -"]
    shown = subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True, check=True).stdout
    shown += cluster.run("scontrol", "show", "job", handle.id)
    shown += cluster.run("scontrol", "write", "batch_script", handle.id, "-")
    for path in [*(tmp_path / "job").iterdir(), *cluster.folder.glob("*.log"), *cluster.folder.glob("s*/**/*")]:
        if path.is_file() and path.name != CREDENTIALS:
            shown += path.read_bytes().decode("latin-1")
    assert "sha256sum" in shown  # they were looked at
    assert "planted-" not in shown
    launcher.cancel(handle)
    assert over(launcher, handle).state is State.CANCELLED


@pytest.mark.slow
def test_a_process_for_each_gpu_of_one_machine_are_started_by_torchrun(cluster: Cluster, tmp_path: Path) -> None:
    launcher = slurm(gpus=2, cpus=2, memory="2GiB")
    handle = submitted(launcher, tmp_path / "job", 'echo "$RANK of $WORLD_SIZE, GPUs $SLURM_JOB_GPUS"')
    assert over(launcher, handle).state is State.FINISHED, launcher.tail(handle, 20)
    lines = "\n".join(launcher.tail(handle, 20))
    assert sorted(re.findall(r"\d of \d.*", lines)) == ["0 of 2, GPUs 0,1", "1 of 2, GPUs 0,1"]


@pytest.mark.slow
def test_a_cell_has_the_same_numbers_as_without_slurm(cluster: Cluster, tmp_path: Path) -> None:
    from fixtures.recipes import tiny_recipe

    (tmp_path / "recipe").mkdir()
    recipe = tiny_recipe(tmp_path / "recipe", strategies=["random"], seeds=[0], reference=None, poor_model=None)
    found = []
    for launcher in (make("launcher", "local", {"cpus": 1}), slurm(memory="3GiB")):
        handle, out = cell(launcher, recipe, tmp_path)
        assert over(launcher, handle, 600).state is State.FINISHED, launcher.tail(handle, 20)
        found += [json.loads(path.read_text()) for path in out.glob("cells/*/result.json")]
    assert numbers(found[0]) == numbers(found[1])


@pytest.mark.slow
def test_a_cell_goes_on_from_its_checkpoint_after_the_notice_with_the_same_numbers(
    cluster: Cluster, tmp_path: Path, add_plugin: AddPlugin
) -> None:
    from fixtures.recipes import tiny_recipe

    add_plugin("evaluators/told.py", told_evaluator(3, NOTICE))
    adaptation = {"steps": 6, "probe_step": 3, "batch_tokens": 64, "sequence_length": 32, "checkpoint_every": 100}
    evaluation = {"evaluators": ["bits_per_byte", "told"], "options": {"told": {"mark": str(tmp_path / "mark")}}}
    few = {"strategies": ["random"], "seeds": [0], "reference": None, "poor_model": None}
    recipe = tiny_recipe(tmp_path, **few, adaptation=adaptation, evaluation=evaluation)
    found = []
    for launcher in (make("launcher", "local", {"cpus": 1}), slurm(memory="3GiB")):
        (tmp_path / "mark").write_text("")
        handle, out = cell(launcher, recipe, tmp_path)
        if launcher.name == "slurm":
            until(launcher, handle, State.QUEUED)
            wait_until(lambda: "BeginTime" in launcher.poll(handle).reason, "it is back in the queue", LONG)  # noqa: B023
            cluster.now(handle.id)
        assert over(launcher, handle, 600).state is State.FINISHED, launcher.tail(handle, 20)
        found += [json.loads(path.read_text()) for path in out.glob("cells/*/result.json")]
        # Two texts are measured before training, at step 3 and at the end; again before training, but not at step 3.
        assert len((tmp_path / "mark").read_text()) == (8 if launcher.name == "slurm" else 6)
    assert numbers(found[0]) == numbers(found[1])


def cell(launcher: Launcher, recipe: Path, folder: Path) -> tuple[Handle, Path]:
    """A job that runs the one cell of a recipe, and the comparison's folder."""
    out = folder / launcher.name
    workdir = out / "remote" / "random-s0" / "1"
    workdir.mkdir(parents=True)
    options = ["--recipe", str(recipe), "--cell", "random-s0", "--no-track", "--out", str(out)]
    command = [sys.executable, "-m", "lexigraft", "cell", "run", *options]
    return launcher.submit(command, launcher.resources, {}, workdir), out


def numbers(result: dict[str, Any]) -> list[Any]:
    return [sorted(result["scores"]), result["losses"], result["coverage"]]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")
def test_a_project_of_mlflow_is_a_job_with_its_status(cluster: Cluster, tmp_path: Path) -> None:
    import mlflow

    from fixtures.tracking import empty_store
    from lexigraft.adapters.tracking.project_backend import Slurm

    project = tmp_path / "project"
    project.mkdir()
    parameters = "parameters: {lines: string, out: string}"
    command = 'command: "echo {lines}; test {lines} = well"'
    (project / "MLproject").write_text(f"name: tiny\nentry_points:\n  main:\n    {parameters}\n    {command}\n")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(empty_store(tmp_path / "mlflow.db"))
    try:
        experiment = mlflow.create_experiment("tiny")
        for word, status in (("well", "FINISHED"), ("ill", "FAILED")):
            given = {"lines": word, "out": str(tmp_path / word)}
            config = {"cpus": 1, "memory": "200MiB"}
            run = Slurm().run(str(project), "main", given, None, config, mlflow.get_tracking_uri(), experiment)
            assert run.wait() == (status == "FINISHED")
            assert mlflow.get_run(run.run_id).info.status == run.get_status() == status
            assert run.launcher.tail(run.handle, 5) == [word]
    finally:
        mlflow.set_tracking_uri(before)


@pytest.mark.slow
def test_a_comparison_goes_on_after_its_command_was_killed_with_the_same_numbers(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fixtures.commands import lexigraft
    from fixtures.recipes import tiny_recipe

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    recipe = tiny_recipe(tmp_path, strategies=["random", "focus"], seeds=[0], reference=None, poor_model=None)
    config = tmp_path / "slurm.yaml"
    config.write_text("partition: main\ncpus: 1\nmemory: 2GiB\nheartbeat: 1s\n")
    common = [str(recipe), "--set", "tracking.enabled=false", "--set", "execution.poll_seconds=0.5"]
    here = subprocess.run([sys.executable, "-m", "lexigraft", "compare", *common, "--out", str(tmp_path / "here")])
    assert here.returncode == 0
    there = tmp_path / "there"
    command = ["compare", *common, "--out", str(there), "--backend", "slurm", "--backend-config", str(config)]
    driver = subprocess.Popen([sys.executable, "-m", "lexigraft", *command, "--max-parallel", "2"])
    jobs = there / "remote"
    wait_until(lambda: driver.poll() is not None or bool([*jobs.glob("*-s0-*/1/slurm_job")]), "a cell runs", 600)
    assert driver.poll() is None
    driver.kill()
    driver.wait()
    done = lexigraft(*command, "--max-parallel", "2")
    assert done.code == 0, done.err
    assert (there / "results.csv").read_text() == (tmp_path / "here" / "results.csv").read_text()
    assert {len([*job.glob("[0-9]*")]) for job in jobs.iterdir() if job.is_dir()} == {1}


def test_a_job_over_its_time_limit(cluster: Cluster, slow: Handle) -> None:
    launcher = slurm()
    found = over(launcher, slow)
    assert (found.state, found.mlflow, found.again) == (State.TIMED_OUT, "FAILED", True)
    assert found.sentence(launcher.tail(slow, 5)).endswith("its log ends with: on")


def test_a_job_is_started_again_with_its_variables_after_the_machine_has_failed(
    cluster: Cluster, tmp_path: Path
) -> None:
    # The last of the tests here: with the machine, every job on it ends.
    launcher = slurm()
    script = f"echo $TOKEN; [ -e {tmp_path}/half ] || {{ touch {tmp_path}/half; sleep 600; }}"
    handle = submitted(launcher, tmp_path / "job", script, TOKEN="planted")
    pid = started(launcher, handle)["pid"]
    wait_until((tmp_path / "half").exists, "half of its work is done")
    batch = _parent(pid)
    cluster.stop_node()
    for victim in (_parent(batch), batch, pid):
        os.kill(victim, signal.SIGKILL)
    cluster.set_node("state=down", "reason=test")
    cluster.start_node()
    until(launcher, handle, State.QUEUED)
    cluster.now(handle.id)
    assert over(launcher, handle).state is State.FINISHED
    assert launcher.tail(handle, 5) == ["planted", "planted"]


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
