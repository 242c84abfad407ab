"""`mlflow run` with a launcher's backend: the same command as a job, and a run whose status is the job's end."""

from __future__ import annotations

import logging
import tomllib
from importlib import import_module
from pathlib import Path

import mlflow
import pytest
import yaml
from mlflow import MlflowClient
from mlflow.exceptions import ExecutionException
from mlflow.projects.backend.loader import MLFLOW_BACKENDS, load_backend

from fixtures.commands import lexigraft, write_files
from fixtures.far_launcher import Far
from fixtures.recipes import one_cell_recipe
from fixtures.tracking import empty_store
from lexigraft.adapters.tracking.project_backend import LauncherBackend, LauncherRun, _there

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.filterwarnings("ignore")


class LocalJobs(LauncherBackend):
    launcher_name = "local"


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    """The store that runs go to; `lexigraft-local` is a backend, and jobs import this checkout."""
    monkeypatch.setitem(MLFLOW_BACKENDS, "lexigraft-local", LocalJobs)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    uri = empty_store(tmp_path / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)
    yield MlflowClient(uri)
    mlflow.set_tracking_uri(before)


def project(folder: Path, command: str) -> str:
    folder.mkdir()
    values = {"name": "made", "entry_points": {"main": {"parameters": {"out": "string"}, "command": command}}}
    (folder / "MLproject").write_text(yaml.safe_dump(values))
    return str(folder)


def submitted(uri: str, out: Path, *, wait: bool = True, config: dict[str, object] | None = None) -> LauncherRun:
    found: LauncherRun = mlflow.projects.run(
        uri,
        parameters={"out": str(out)},
        experiment_name="tiny",
        backend="lexigraft-local",
        backend_config=config or {"heartbeat": "1s"},
        synchronous=wait,
    )
    return found


def test_entry_points_are_backends_of_names_that_nobody_else_has() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        points = tomllib.load(file)["project"]["entry-points"]["mlflow.project_backend"]
    assert set(points) == {"lexigraft-ssh", "lexigraft-slurm", "lexigraft-kubernetes"}
    for name, value in points.items():
        module, _, cls = value.partition(":")
        backend = getattr(import_module(module), cls)
        assert issubclass(backend, LauncherBackend)
        assert f"lexigraft-{backend.launcher_name}" == name
        assert type(load_backend(name)) is backend, "as MLflow finds it in the installed package"


def test_a_job_that_ends_well_is_a_finished_run(client: MlflowClient, tmp_path: Path) -> None:
    uri = project(tmp_path / "project", "echo run $MLFLOW_RUN_ID in $PWD of {out}")
    done = submitted(uri, tmp_path / "out")
    run = client.get_run(done.run_id)
    assert (run.info.status, done.get_status()) == ("FINISHED", "FINISHED")
    assert run.data.tags["mlflow.project.backend"] == "lexigraft-local"
    told = done.launcher.tail(done.handle, 5)
    assert told == [f"run {done.run_id} in {tmp_path / 'project'} of {tmp_path / 'out'}"]
    listed = lexigraft("remote", "status", tmp_path / "out", "--json").json
    assert [(job["job"], job["state"]) for job in listed] == [(f"mlflow-{done.run_id}", "finished")]


def test_a_job_that_fails_is_a_failed_run(client: MlflowClient, tmp_path: Path) -> None:
    uri = project(tmp_path / "project", "echo {out}; exit 3")
    with pytest.raises(ExecutionException, match="failed"):
        submitted(uri, tmp_path / "out")
    experiment = client.get_experiment_by_name("tiny")
    [run] = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FAILED"


@pytest.mark.parametrize(("ending", "code", "status"), [("true", 0, "FINISHED"), ("exit 3", 1, "FAILED")])
def test_the_command_line_waits_for_the_job(
    client: MlflowClient, tmp_path: Path, caplog: pytest.LogCaptureFixture, ending: str, code: int, status: str
) -> None:
    from click.testing import CliRunner
    from mlflow.cli import cli

    uri = project(tmp_path / "project", f"echo {{out}}; sleep 1; {ending}")
    (tmp_path / "backend.json").write_text('{"heartbeat": "1s"}')
    backend = ["--backend", "lexigraft-local", "--backend-config", str(tmp_path / "backend.json")]
    words = ["run", uri, *backend, "--experiment-name", "tiny", "-P", f"out={tmp_path / 'out'}"]
    with caplog.at_level(logging.INFO, "mlflow.projects.lexigraft"):
        assert CliRunner().invoke(cli, words).exit_code == code
    assert f"lexigraft remote status {tmp_path / 'out'} shows it" in caplog.text
    assert ("the job finished" if code == 0 else "the job failed with exit code 3") in caplog.text
    [run] = client.search_runs([client.get_experiment_by_name("tiny").experiment_id])
    assert run.info.status == status


def test_a_cancelled_job_is_a_killed_run(client: MlflowClient, tmp_path: Path) -> None:
    uri = project(tmp_path / "project", "echo {out}; sleep 300")
    started = submitted(uri, tmp_path / "out", wait=False)
    assert started.get_status() in ("SCHEDULED", "RUNNING")
    started.cancel()
    assert (started.get_status(), client.get_run(started.run_id).info.status) == ("KILLED", "KILLED")


def test_a_misspelt_key_is_one_error(client: MlflowClient, tmp_path: Path) -> None:
    uri = project(tmp_path / "project", "echo {out}")
    with pytest.raises(ExecutionException, match=r"memmory\. Did you mean 'memory'"):
        submitted(uri, tmp_path / "out", config={"memmory": "16GB"})


def test_a_store_that_the_job_s_machine_cannot_see_is_one_error(client: MlflowClient, tmp_path: Path) -> None:
    from lexigraft.adapters.tracking.project_backend import Ssh

    uri = project(tmp_path / "project", "echo {out}")
    for store in (mlflow.get_tracking_uri(), str(tmp_path / "mlruns")):
        with pytest.raises(ExecutionException, match=f"another machine cannot log to a store of this one: {store}"):
            Ssh().run(uri, "main", {"out": str(tmp_path / "out")}, None, {"host": "never-asked"}, store, "0")
    assert not (tmp_path / "out").exists()


def test_a_command_for_a_machine_that_shares_no_files_has_its_paths(tmp_path: Path) -> None:
    files = write_files(tmp_path / "a b")
    recipe = {"source": str(files.source), "target_tokenizer": "some/name", "strategies": ["random"]}
    recipe |= {"corpus": {"train": str(files.text)}}
    (tmp_path / "a b" / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    launcher, out, job = Far(root=f"{tmp_path}/far"), tmp_path / "out", tmp_path / "job"
    line = f"lexigraft cell run --recipe '{tmp_path}/a b/recipe.yaml' --cell random-s0 --out {out}"
    shell, option, text = _there(launcher, [line], tmp_path / "a b", out, job)
    assert (shell, option) == ("bash", "-c")
    far = f"{tmp_path}/far{tmp_path}"
    run = f"{launcher.interpreter} -m lexigraft cell run --recipe '{far}/job/recipe.yaml' --cell random-s0"
    assert text == f"cd '{far}/a b' && {run} --out {far}/out"
    moved = yaml.safe_load(Path(f"{far}/job/recipe.yaml").read_text())
    assert (moved["source"], moved["target_tokenizer"]) == (f"{far}/a b/source", "some/name")
    assert Path(moved["corpus"]["train"][0]).read_text() == files.text.read_text()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_cell_runs_as_a_job_of_its_project(client: MlflowClient, tmp_path: Path) -> None:
    recipe = one_cell_recipe(tmp_path)
    done = mlflow.projects.run(
        str(ROOT / "mlflow_projects" / "cell"),
        parameters={"recipe": str(recipe), "cell": "random-s0", "out": str(tmp_path / "out")},
        experiment_name="tiny",
        backend="lexigraft-local",
        backend_config={},
    )
    assert done.get_status() == "FINISHED"
    assert list((tmp_path / "out" / "cells").glob("random-s0-*/result.json"))
    experiment = client.get_experiment_by_name("tiny")
    kinds = [run.data.tags.get("lexigraft.kind", "") for run in client.search_runs([experiment.experiment_id])]
    assert sorted(kinds) == ["", "cell", "comparison"]
