"""Comparisons whose stages and cells are jobs: the numbers of a local one, whatever is killed on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from fixtures.commands import lexigraft
from fixtures.jobs import PATIENCE, AddPlugin, told_evaluator
from fixtures.recipes import one_cell_recipe, tiny_recipe
from lexigraft.core.evaluation.cells.cell_store import load_comparison, load_results

pytestmark = pytest.mark.remote
SOURCES = Path(__file__).parents[2] / "src"
REMOTE = ("--backend", "local", "--set", "execution.poll_seconds=0.2")
UNTRACKED = ("--set", "tracking.enabled=false")
DIES = '''
import os
import signal
from dataclasses import dataclass
from typing import ClassVar
from lexigraft.plugins.strategies.random import Random

@dataclass(frozen=True)
class Dies(Random):
    """Kills its process."""

    name: ClassVar[str] = "dies"

    def plan(self, ctx):
        print("about to die", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
'''


@pytest.fixture(autouse=True)
def _jobs_import_this_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(SOURCES))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A recipe that trains nothing beforehand."""
    return one_cell_recipe(tmp_path, execution={"poll_seconds": 0.2}, tracking={"enabled": False})


def figures(out: Path) -> dict[str, Any]:
    return {r.cell.folder: (r.scores, r.losses, r.coverage) for r in load_results(out, load_comparison(out))}


def jobs(out: Path) -> dict[str, str]:
    found = lexigraft("remote", "status", out, "--json")
    assert found.code == 0, found.err
    return {job["job"]: job["state"] for job in found.json}


def starts(out: Path) -> dict[str, int]:
    return {p.name: len(list(p.glob("[0-9]*"))) for p in (out / "remote").iterdir() if p.is_dir()}


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("one_thread")
def test_a_driver_killed_in_the_middle_goes_on_and_the_numbers_are_those_of_one_machine(tmp_path: Path) -> None:
    recipe = tiny_recipe(tmp_path, strategies=["random", "focus"], seeds=[0])
    here = tmp_path / "here"
    assert lexigraft("compare", recipe, "--out", here, *UNTRACKED).code == 0
    there = tmp_path / "there"
    command = ["compare", str(recipe), "--out", str(there), "--max-parallel", "2", *REMOTE]
    driver = subprocess.Popen([sys.executable, "-m", "lexigraft", *command], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 3 * PATIENCE
    while not list((there / "remote").glob("random-s0-*/1/started.json")):
        assert driver.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    assert "running" in jobs(there).values()
    done = lexigraft(*command, "--json")
    assert done.code == 0, done.err
    assert set(starts(there).values()) == {1}, starts(there)
    assert figures(there) == figures(here)
    assert (there / "results.csv").read_text() == (here / "results.csv").read_text()
    assert set(jobs(there).values()) == {"finished"}
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    runs = client.search_runs([e.experiment_id for e in client.search_experiments()])
    assert sorted(r.data.tags["lexigraft.kind"] for r in runs) == ["cell", "cell", "comparison"]
    assert {r.info.status for r in runs} == {"FINISHED"}
    assert "making target_vectors" in lexigraft("remote", "logs", there, "target_vectors").out


@pytest.mark.timeout(600)
def test_a_cell_that_dies_is_tried_again_and_named_in_the_report(
    small: Path, tmp_path: Path, add_plugin: AddPlugin
) -> None:
    add_plugin("strategies/dies.py", DIES)
    out = tmp_path / "out"
    done = lexigraft("compare", small, "--out", out, *REMOTE, "--max-parallel", 2, "--set", "strategies=[random, dies]")
    assert done.code == 2
    assert "1 of 2 cells failed" in done.err
    assert {name[:4]: number for name, number in starts(out).items() if "-s0-" in name} == {"rand": 1, "dies": 2}
    for report in ("report.md", "report.html"):
        text = (out / report).read_text()
        assert "dies (seed 0) failed: was ended by SIGKILL" in text
        assert "about to die" in text
    fetched = lexigraft("remote", "fetch", out, "--json").json
    assert (fetched["finished"], fetched["cells"]) == (1, 2)


@pytest.mark.timeout(600)
def test_a_cancelled_comparison_starts_no_more_and_goes_on_when_asked(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "lexigraft", "compare", str(small), "--out", str(out), *REMOTE]
    driver = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + PATIENCE
    while not list((out / "remote").glob("check/1/started.json")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert lexigraft("remote", "cancel", out, "--json").json == {"cancelled": ["check"]}
    _, said = driver.communicate(timeout=PATIENCE)
    assert driver.returncode == 2
    assert "was cancelled" in said
    assert jobs(out) == {"check": "cancelled"}
    assert lexigraft("compare", small, "--out", out, *REMOTE).code == 0
    assert starts(out)["check"] == 2


@pytest.mark.parametrize(
    ("backend", "config", "words"),
    [
        ("locl", None, "locl. Did you mean 'local'"),
        ("local", "memmory: 16GB", "unknown field of launcher 'local': memmory. Did you mean 'memory'"),
        ("local", "pass_env: [NOT_SET_ANYWHERE]", "a variable of pass_env is not set: NOT_SET_ANYWHERE"),
    ],
)
def test_a_bad_backend_is_refused_before_anything_is_written(
    backend: str, config: str | None, words: str, small: Path, tmp_path: Path
) -> None:
    more: list[object] = []
    if config is not None:
        (tmp_path / "backend.yaml").write_text(config)
        more = ["--backend-config", tmp_path / "backend.yaml"]
    done = lexigraft("compare", small, "--out", tmp_path / "out", "--backend", backend, *more)
    assert done.code == 2
    assert words in done.err
    assert not (tmp_path / "out").exists()


def test_options_of_a_backend_need_one_and_those_of_this_machine_do_not_go_with_it(small: Path, tmp_path: Path) -> None:
    done = lexigraft("compare", small, "--out", tmp_path / "out", "--max-parallel", 2)
    assert done.code == 2
    assert "are for a backend" in done.err
    done = lexigraft("compare", small, "--out", tmp_path / "out", "--backend", "local", "--jobs", 2)
    assert done.code == 2
    assert "Give --max-parallel" in done.err


def test_a_machine_without_lexigraft_is_one_error(small: Path, tmp_path: Path) -> None:
    python = tmp_path / "python"
    missing = 'echo "No module named lexigraft" >&2; exit 1'
    python.write_text(f'#!/bin/sh\nif [ "$2" = lexigraft ]; then {missing}; fi\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (tmp_path / "backend.yaml").write_text(f"python: {python}\n")
    config = ("--backend-config", tmp_path / "backend.yaml", "--set", "execution.retries=0")
    done = lexigraft("compare", small, "--out", tmp_path / "out", *REMOTE, *config)
    assert done.code == 2
    assert "the machine of the jobs cannot run Lexigraft" in done.err
    assert "No module named lexigraft" in done.err


def test_a_folder_without_jobs_and_a_job_that_is_not_there_are_named(tmp_path: Path) -> None:
    for command in ("status", "logs", "cancel", "fetch"):
        done = lexigraft("remote", command, tmp_path)
        assert done.code == 2
        assert "no remote jobs in this folder" in done.err
    (tmp_path / "remote" / "random-s0-abc" / "1").mkdir(parents=True)
    (tmp_path / "remote" / "backend.json").write_text('{"name": "local", "values": {}}')
    done = lexigraft("remote", "logs", tmp_path, "radnom")
    assert done.code == 2
    assert "Did you mean 'random-s0-abc'" in done.err
    assert jobs(tmp_path) == {"random-s0-abc": "queued"}


@pytest.mark.timeout(600)
def test_a_job_that_must_make_room_goes_on_from_its_last_step(
    small: Path, tmp_path: Path, add_plugin: AddPlugin
) -> None:
    add_plugin("evaluators/told.py", told_evaluator(2, "os.kill(os.getppid(), signal.SIGUSR1)"))
    mark = tmp_path / "mark"
    evaluation = f"evaluation={{evaluators: [bits_per_byte, told], options: {{told: {{mark: {mark}}}}}}}"
    more = ("--set", evaluation, "--set", "adaptation.steps=6", "--set", "adaptation.probe_step=3")
    more = (*more, "--set", "adaptation.checkpoint_every=100")
    mark.write_text("xx")  # it was told already
    assert lexigraft("compare", small, "--out", tmp_path / "whole", *more).code == 0
    mark.write_text("")
    done = lexigraft("compare", small, "--out", tmp_path / "out", *REMOTE, *more)
    assert done.code == 0, done.err
    assert "had to make room for another job" in done.err
    assert {n for name, n in starts(tmp_path / "out").items() if name.startswith("random")} == {2}
    assert mark.read_text() == "x" * 4  # before training, at step 3; again before training, then at the end only
    assert (tmp_path / "out" / "results.csv").read_text() == (tmp_path / "whole" / "results.csv").read_text()


@pytest.mark.timeout(600)
def test_a_machine_that_shares_no_files_gets_the_inputs_and_gives_the_results(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, add_plugin: AddPlugin
) -> None:
    add_plugin("launchers/far.py", (Path(__file__).parents[1] / "fixtures" / "far_launcher.py").read_text())
    monkeypatch.setenv("HF_TOKEN", "planted-secret")
    root, out = tmp_path / "far", tmp_path / "out"
    (tmp_path / "backend.yaml").write_text(f"root: {root}\npass_env: [HF_TOKEN]\n")
    there = ("--backend", "far", "--backend-config", tmp_path / "backend.yaml")
    done = lexigraft("compare", small, "--out", out, *there)
    assert done.code == 0, done.err
    remote_recipe = yaml.safe_load(Path(f"{root}{out}/remote/recipe.yaml").read_text())
    assert remote_recipe["source"] == f"{root}{tmp_path}/source"
    assert remote_recipe["corpus"]["train"] == [f"{root}{tmp_path}/target.txt"]
    assert yaml.safe_load((out / "recipe.yaml").read_text())["source"] == f"{tmp_path}/source"
    assert lexigraft("compare", small, "--out", tmp_path / "here").code == 0
    assert figures(out) == figures(tmp_path / "here")
    assert (out / "results.csv").read_text() == (tmp_path / "here" / "results.csv").read_text()
    assert set(jobs(out).values()) == {"finished"}
    written = [path for folder in (root, out) for path in folder.rglob("*") if path.is_file()]
    assert [path for path in written if b"planted-secret" in path.read_bytes()] == []
    refused = lexigraft("compare", small, "--out", out, *there, "--set", "corpus.train=[/nowhere.txt]")
    assert refused.code == 2
    assert "the machine of the jobs cannot run this recipe" in refused.err
    assert "/nowhere.txt" in refused.err
