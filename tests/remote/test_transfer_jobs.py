"""Transfer studies whose cells are jobs: the matrix of a local one, whatever is killed on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fixtures.commands import lexigraft
from fixtures.jobs import PATIENCE, AddPlugin
from fixtures.tracking import empty_store
from fixtures.transfers import grafting, transfer_recipe

pytestmark = pytest.mark.remote
TESTS = Path(__file__).parents[1]
REMOTE = ("--backend", "local", "--max-parallel", "2", "--set", "execution.poll_seconds=0.2")


@pytest.fixture(autouse=True)
def _jobs_import_this_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(TESTS.parent / "src"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("one_thread")
def test_killed_and_started_again_the_jobs_make_the_matrix_of_one_machine(tmp_path: Path) -> None:
    store = empty_store(tmp_path / "mlflow.db")
    recipe = transfer_recipe(tmp_path, seeds=[0], target_controls=False, tracking={"uri": store})
    here, there = tmp_path / "here", tmp_path / "there"
    assert lexigraft("transfer", recipe, "--out", here, "--set", "tracking.enabled=false").code == 0
    command = ["transfer", str(recipe), "--out", str(there), *REMOTE]
    driver = subprocess.Popen([sys.executable, "-m", "lexigraft", *command], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 3 * PATIENCE
    while not list((there / "remote").glob("zero-shot-s0-*/1/started.json")):
        assert driver.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    done = lexigraft(*command, "--json")
    assert done.code == 0, done.err
    assert {p.name for p in (there / "remote").glob("*/2")} == set()  # no job was started twice
    assert (there / "matrix.csv").read_bytes() == (here / "matrix.csv").read_bytes()
    assert {pair["donor"] for pair in done.json["pairs"]} == {"english", "clone"}
    states = {job["job"].partition("-")[0]: job["state"] for job in lexigraft("remote", "status", there, "--json").json}
    assert states == dict.fromkeys(("check", "comparison", "zero", "english", "clone"), "finished")
    from mlflow import MlflowClient

    client = MlflowClient(store)
    runs = client.search_runs([e.experiment_id for e in client.search_experiments()])
    assert sorted(r.data.tags["lexigraft.kind"] for r in runs) == ["cell", "cell", "cell", "comparison"]
    assert {r.info.status for r in runs} == {"FINISHED"}
    fetched = lexigraft("remote", "fetch", there, "--json").json
    assert (fetched["finished"], fetched["cells"]) == (3, 3)
    assert '<table class="matrix">' in Path(fetched["report"]).read_text(encoding="utf-8")


@pytest.mark.timeout(600)
def test_a_machine_that_shares_no_files_gets_texts_and_model_and_gives_the_matrix(
    tmp_path: Path, add_plugin: AddPlugin
) -> None:
    add_plugin("launchers/far.py", (TESTS / "fixtures" / "far_launcher.py").read_text())
    recipe = transfer_recipe(tmp_path, **grafting(execution={"poll_seconds": 0.2}))
    (tmp_path / "backend.yaml").write_text(f"root: {tmp_path / 'machine'}\n")
    there = ("--backend", "far", "--backend-config", tmp_path / "backend.yaml")
    done = lexigraft("transfer", recipe, "--out", tmp_path / "out", *there)
    assert done.code == 0, done.err
    assert lexigraft("transfer", recipe, "--out", tmp_path / "here").code == 0
    assert (tmp_path / "out" / "matrix.csv").read_text() == (tmp_path / "here" / "matrix.csv").read_text()
    refused = lexigraft("transfer", recipe, "--out", tmp_path / "out", *there, "--set", "source=/nowhere")
    assert refused.code == 2
    assert "/nowhere" in refused.err
