"""The wrapper around a job's command and the launcher `local`: what becomes of a job is written down and told."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fixtures.jobs import PATIENCE, until
from lexigraft.core.registry import make
from lexigraft.core.remote.job_files import CREDENTIALS, read_json, write_json
from lexigraft.core.remote.job_state import Evidence, State
from lexigraft.core.remote.launcher import Handle, Launcher, Resources
from lexigraft.core.remote.processes import process_mark
from lexigraft.core.remote.wrapper import MODULE
from lexigraft.plugins.launchers.local import Local


@pytest.fixture
def local(monkeypatch: pytest.MonkeyPatch) -> Launcher:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3] / "src"))
    launcher: Launcher = make("launcher", "local", {"heartbeat": "0.2s"})
    return launcher


def submitted(launcher: Launcher, folder: Path, script: str, **options: Any) -> Handle:
    folder.mkdir(exist_ok=True)
    handle = launcher.submit(["bash", "-c", script], Resources(**options), {}, folder)
    return Handle(**json.loads(json.dumps(handle.as_json())))


def assert_gone(pid: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while process_mark(pid) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("script", "state", "words"),
    [
        ("echo hi", State.FINISHED, "finished on"),
        ("echo oops; exit 3", State.FAILED, "failed with exit code 3 on"),
        ("echo bye; kill -9 $$", State.FAILED, "was ended by SIGKILL on"),
        ("exec not-a-program", State.FAILED, "failed with exit code 127"),
        ("echo 'CUDA out of memory'; exit 1", State.OUT_OF_MEMORY, "needed more memory than it had"),
    ],
)
def test_the_end_of_a_job_is_known_from_its_files(
    local: Launcher, tmp_path: Path, script: str, state: State, words: str
) -> None:
    handle = submitted(local, tmp_path / "job", script)
    found = until(local, handle)
    assert found.state is state
    said = found.sentence(local.tail(handle, 5))
    assert words in said
    assert ("its log ends with:" in said) == (state is not State.FINISHED)
    ended = read_json(tmp_path / "job" / "ended.json")
    assert ended is not None
    assert ended["seconds"] >= 0
    assert ended["peak_rss_bytes"] > 0
    started = read_json(tmp_path / "job" / "started.json")
    assert started is not None
    assert started["command"] == ["bash", "-c", script]


def test_a_job_is_cancelled_with_all_its_processes(local: Launcher, tmp_path: Path) -> None:
    handle = submitted(local, tmp_path / "job", "sleep 300 & echo $!; wait")
    until(local, handle, State.RUNNING)
    while not local.tail(handle, 1):
        time.sleep(0.02)
    local.cancel(handle)
    found = until(local, handle)
    assert (found.state, found.mlflow) == (State.CANCELLED, "KILLED")
    assert_gone(int(local.tail(handle, 1)[0]))


def test_a_killed_job_is_lost_and_its_command_does_not_run_on(local: Launcher, tmp_path: Path) -> None:
    handle = submitted(local, tmp_path / "job", "echo step 7; exec sleep 300")
    until(local, handle, State.RUNNING)
    while not local.tail(handle, 1):
        time.sleep(0.02)
    child = read_json(tmp_path / "job" / "started.json")["child"]  # type: ignore[index]
    os.kill(int(handle.id), signal.SIGKILL)
    found = until(local, handle)
    assert (found.state, found.mlflow, found.again) == (State.LOST, "FAILED", True)
    assert found.sentence(local.tail(handle, 5)).endswith("its log ends with: step 7")
    assert_gone(child)


def test_a_time_limit_ends_a_job(local: Launcher, tmp_path: Path) -> None:
    handle = submitted(local, tmp_path / "job", "sleep 300", seconds=0.3)
    assert until(local, handle).state is State.TIMED_OUT


def test_a_signal_from_elsewhere_is_a_preemption_and_the_job_can_start_again(local: Launcher, tmp_path: Path) -> None:
    handle = submitted(local, tmp_path / "job", "echo begun; sleep 300")
    until(local, handle, State.RUNNING)
    deadline = time.monotonic() + 60
    while local.tail(handle, 5) != ["begun"] and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(int(handle.id), signal.SIGUSR1)
    assert until(local, handle).state is State.PREEMPTED
    handle = submitted(local, tmp_path / "job", "echo again")
    assert until(local, handle).state is State.FINISHED
    assert local.tail(handle, 5) == ["begun", "again"]
    assert read_json(tmp_path / "job" / "started.json")["attempt"] == 2  # type: ignore[index]


def test_a_job_that_ran_again_while_its_system_was_asked_is_not_judged_by_its_first_end(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Cluster(Local):
        def evidence(self, handle: Handle) -> Evidence:
            write_json(tmp_path / "ended.json", {"exit_code": 0, "received": ""})
            return Evidence(False, State.FINISHED)

    write_json(tmp_path / "ended.json", {"exit_code": None, "signal": "SIGTERM", "received": "SIGUSR1"})
    assert Cluster().poll(Handle("local", "1", str(tmp_path))).state is State.FINISHED


def test_variables_reach_the_job_by_a_file_that_is_gone_when_it_runs(local: Launcher, tmp_path: Path) -> None:
    folder = tmp_path / "job"
    folder.mkdir()
    os.environ["PLANTED_TOKEN"] = "not-named"
    try:
        script = 'echo "$HF_TOKEN/$PLANTED_TOKEN"; ls -a'
        handle = local.submit(["bash", "-c", script], Resources(), {"HF_TOKEN": "planted"}, folder)
    finally:
        del os.environ["PLANTED_TOKEN"]
    until(local, handle)
    first, *names = local.tail(handle, 50)
    assert first == "planted/"
    assert CREDENTIALS not in names
    written = [p for p in folder.iterdir() if p.name != "job.log" and "planted" in p.read_text()]
    assert written == []


def test_the_file_of_variables_is_its_owners_alone(tmp_path: Path) -> None:
    from lexigraft.core.remote.job_files import read_credentials, write_credentials

    write_credentials(tmp_path, {"A": "b\n"})
    assert stat.S_IMODE((tmp_path / CREDENTIALS).stat().st_mode) == 0o600
    assert read_credentials(tmp_path) == {"A": "b\n"}


@pytest.mark.parametrize(
    ("script", "code", "kept"),
    [
        ("kill -TERM $PPID; sleep 300", 128 + signal.SIGTERM, True),
        ("kill -KILL $PPID; sleep 300", -9, True),
        ("", 0, False),
    ],
)
def test_variables_stay_for_another_start_until_the_job_ends_for_good(
    local: Launcher, tmp_path: Path, script: str, code: int, kept: bool
) -> None:
    from lexigraft.core.remote.job_files import read_credentials, write_credentials

    write_credentials(tmp_path, {"A": "b"})
    command = local.wrapped(["bash", "-c", script], str(tmp_path), "--requeued")
    assert subprocess.run(command).returncode == code
    assert read_credentials(tmp_path) == ({"A": "b"} if kept else {})


def test_a_job_of_several_gpus_is_several_processes(local: Launcher, tmp_path: Path) -> None:
    handle = submitted(local, tmp_path / "job", "echo rank $RANK of $WORLD_SIZE", gpus=2)
    assert until(local, handle).state is State.FINISHED
    assert {"rank 0 of 2", "rank 1 of 2"} <= set(local.tail(handle, 50))


def test_a_submission_whose_handle_was_lost_is_found(local: Launcher, tmp_path: Path) -> None:
    assert local.find(tmp_path) is None
    handle = submitted(local, tmp_path / "job", "sleep 300")
    until(local, handle, State.RUNNING)
    found = local.find(tmp_path / "job")
    assert found is not None
    assert found.id == handle.id
    local.cancel(found)
    assert until(local, handle).state is State.CANCELLED


def test_a_machine_that_shares_no_files_reports_and_stops_by_command(local: Launcher, tmp_path: Path) -> None:
    handle = submitted(local, tmp_path / "job", "echo here; sleep 300")
    until(local, handle, State.RUNNING)
    while not local.tail(handle, 1):
        time.sleep(0.02)
    report = [sys.executable, "-m", MODULE, str(tmp_path / "job"), "--report"]
    told = json.loads(subprocess.run(report, capture_output=True, check=True).stdout)
    assert (told["alive"], told["log"], told["files"]["ended"]) == (True, ["here"], None)
    subprocess.run([*report[:-1], "--stop"], capture_output=True, check=True)
    assert until(local, handle).state is State.CANCELLED


def test_a_wanted_log_is_on_the_standard_output_too_and_an_earlier_attempt_s_is_not(tmp_path: Path) -> None:
    (tmp_path / "job.log").write_text("earlier\n")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "src")}
    wrapper = [sys.executable, "-m", MODULE, str(tmp_path)]
    script = "echo one; echo two >&2; exit 3"
    shown = subprocess.run(
        [*wrapper, "--echo", "--", "bash", "-c", script], env=environment, capture_output=True, text=True
    )
    assert (shown.returncode, shown.stdout, shown.stderr) == (3, "one\ntwo\n", "")
    assert (tmp_path / "job.log").read_text() == "earlier\none\ntwo\n"
    silent = subprocess.run([*wrapper, "--", "echo", "three"], env=environment, capture_output=True, text=True)
    assert silent.stdout == ""
