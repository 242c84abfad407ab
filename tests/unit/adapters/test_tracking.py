"""MLflow: what is logged, once, on sqlite and on a real server, and what happens when the server dies."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from fixtures.comparisons import made_cells, made_comparison, made_result, write_made
from fixtures.tracking import empty_store, free_port, server, stop
from lexigraft.adapters.tracking import client as client_module
from lexigraft.adapters.tracking.client import connect
from lexigraft.adapters.tracking.single_run import log_single
from lexigraft.adapters.tracking.tracker import MlflowTracker, asked_for
from lexigraft.core.config.recipe import TrackingSettings
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.cells.cell_store import load_comparison, save_comparison, save_result
from lexigraft.report.writer import write_report

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")]
SEEDS = (0,)


def runs(uri: str, experiment: str = "english-quechua"):
    client = connect(uri)
    found = client.get_experiment_by_name(experiment)
    return client.search_runs([found.experiment_id]) if found else []


def children(uri: str):
    return [r for r in runs(uri) if r.data.tags["lexigraft.kind"] == "cell"]


@pytest.fixture
def store(tmp_path: Path) -> str:
    return empty_store(tmp_path / "store" / "mlflow.db")


def test_a_comparison_is_one_parent_with_a_child_for_each_cell(tmp_path: Path, store: str) -> None:
    out = tmp_path / "out"
    comparison = write_made(out, SEEDS)
    (out / "cells" / comparison.cells[0].folder / "provenance.parquet").write_bytes(b"rows")
    report = write_report(out)
    tracker = MlflowTracker.open(TrackingSettings(uri=store), comparison.name, out)
    tracker.start(comparison, "name: x\n")
    result = made_result(comparison.cells[0])
    tracker.log_cell(result, out)
    tracker.log_cell(result, out)
    assert tracker.finish(out, report) == ""

    logged = runs(store)
    [parent] = [r for r in logged if r.data.tags["lexigraft.kind"] == "comparison"]
    assert parent.info.status == "FINISHED"
    assert parent.data.params["strategies"].startswith("keep, poor, random")
    client = connect(store)
    names = {f.path for f in client.list_artifacts(parent.info.run_id)}
    assert names == {
        *("recipe.yaml", "comparison.json"),
        *("report.html", "report.md", "report.tex", "results.csv", "differences.csv"),
    }
    assert len(logged) == 10
    child = next(r for r in children(store) if r.data.tags["lexigraft.strategy"] == "keep")
    assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert child.data.tags["lexigraft.cell"] == comparison.cells[0].key
    assert child.data.tags["lexigraft.corpus_hash"] == comparison.facts["corpus_hash"]
    assert child.data.tags["lexigraft.version.torch"] == "2.13.0"
    assert {"lexigraft.code", "lexigraft.dirty", "lexigraft.device"} <= set(child.data.tags)
    assert child.data.params["source"] == comparison.facts["source"]
    assert child.data.params["adaptation.steps"] == "400"
    assert (child.data.params["seed"], child.data.params["label"]) == ("0", "keep")
    assert child.data.metrics["coverage/target_tokens"] == 8000
    history = client.get_metric_history(child.info.run_id, "bits_per_byte/heldout")
    assert {m.step: m.value for m in history} == {
        s.step: s.value for s in result.scores if s.metric == "bits_per_byte/heldout"
    }
    assert {f.path for f in client.list_artifacts(child.info.run_id)} == {"result.json", "provenance.parquet"}
    artifacts = Path(child.info.artifact_uri.removeprefix("file://"))
    assert artifacts.is_relative_to(tmp_path / "store" / "mlruns")


def test_resuming_logs_nothing_twice_and_replaces_what_was_cut_off(tmp_path: Path, store: str) -> None:
    out = tmp_path / "out"
    cells = made_cells(SEEDS)
    comparison = made_comparison(cells)
    save_comparison(out, comparison, "r")
    settings = TrackingSettings(uri=store)
    first = MlflowTracker.open(settings, comparison.name, out)
    first.start(comparison, "r")
    for cell in cells[:3]:
        save_result(out, made_result(cell))
        first.log_cell(made_result(cell), out)
    client = connect(store)
    cut = next(r for r in children(store) if r.data.tags["lexigraft.strategy"] == "random")
    client.update_run(cut.info.run_id, status="RUNNING")
    whole = {r.info.run_id for r in children(store)} - {cut.info.run_id}

    again = MlflowTracker.open(settings, comparison.name, out)
    again.start(comparison, "r")
    for cell in cells:
        save_result(out, made_result(cell))
        again.log_cell(made_result(cell), out)
    assert again.finish(out, write_report(out)) == ""
    after = children(store)
    assert len(after) == len(cells)
    assert sorted(r.data.tags["lexigraft.cell"] for r in after) == sorted(c.key for c in cells)
    assert whole <= {r.info.run_id for r in after}
    assert cut.info.run_id not in {r.info.run_id for r in after}
    assert {r.info.status for r in runs(store)} == {"FINISHED"}
    assert len(runs(store)) == len(cells) + 1
    before = {r.info.run_id for r in runs(store)}
    assert logged_again(out, settings) == ""
    assert {r.info.run_id for r in runs(store)} == before


def logged_again(folder: Path, settings: TrackingSettings, report: Iterable[Path] = ()) -> str:
    """Log a comparison that lies in a folder, as a run that goes on does."""
    comparison = load_comparison(folder)
    tracker = MlflowTracker.open(settings, comparison.name, folder)
    tracker.start(comparison, "r")
    return tracker.finish(folder, report or ())


def test_a_store_that_is_down_stops_the_start_only_when_required(tmp_path: Path) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(LexigraftError, match="the MLflow store does not answer"):
        MlflowTracker.open(TrackingSettings(uri=nobody, required=True), "x", tmp_path)
    comparison = write_made(tmp_path, SEEDS)
    tracker = MlflowTracker.open(TrackingSettings(uri=nobody), comparison.name, tmp_path)
    assert "does not answer" in tracker.warning
    tracker.start(comparison, "r")
    assert tracker.finish(tmp_path).startswith(tracker.warning)
    assert len(children(f"sqlite:///{tmp_path}/mlflow.db")) == 9


def test_a_single_run_in_a_store_and_a_folder_that_are_not_there_yet(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/new/mlflow.db"
    file = tmp_path / "lexigraft.json"
    file.write_text("{}")
    long = {"note": "n" * 9000, "odd key [1]": True}
    metrics = [(s, "loss/train", 1.0 / (s + 1)) for s in range(1500)]
    settings = TrackingSettings(uri=store)
    assert log_single(settings, "adapt", tmp_path / "run", long, metrics, [file, tmp_path / "absent"]) == ""
    [run] = runs(store, "adapt")
    assert run.info.status == "FINISHED"
    assert run.data.params["odd key _1_"] == "True"
    assert len(run.data.params["note"]) == 6000
    assert len(connect(store).get_metric_history(run.info.run_id, "loss/train")) == 1500


def test_no_telemetry(tmp_path: Path) -> None:
    code = (
        "from lexigraft.adapters.tracking.client import connect\n"
        f"connect('sqlite:///{tmp_path}/m.db')\n"
        "import mlflow.telemetry.utils as t, mlflow.telemetry.client as c\n"
        "assert t.is_telemetry_disabled() and c.get_telemetry_client() is None\n"
    )
    hidden = {"CI", "GITHUB_ACTIONS", "PYTEST_CURRENT_TEST", "MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK"}
    environment = {k: v for k, v in os.environ.items() if k not in hidden}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_real_server_that_dies_midway_and_comes_back(tmp_path: Path) -> None:
    port, out = free_port(), tmp_path / "out"
    uri = f"http://127.0.0.1:{port}"
    cells = made_cells(SEEDS)[:5]
    comparison = made_comparison(cells)
    save_comparison(out, comparison, "r")
    settings = TrackingSettings(uri=uri, required=True)
    empty_store(tmp_path / "server" / "mlflow.db")
    with server(tmp_path / "server", port) as process:
        tracker = MlflowTracker.open(settings, comparison.name, out)
        tracker.start(comparison, "r")
        for i, cell in enumerate(cells):
            if i == 3:
                stop(process)
            save_result(out, made_result(cell))
            tracker.log_cell(made_result(cell), out)
        report = write_report(out)
        message = tracker.finish(out, report)
    assert "stopped answering" in message
    assert str(out) in message
    with server(tmp_path / "server", port):
        assert len(children(uri)) == 3
        assert logged_again(out, settings, report) == ""
        logged = children(uri)
        assert sorted(r.data.tags["lexigraft.cell"] for r in logged) == sorted(c.key for c in cells)
        assert {r.info.status for r in runs(uri)} == {"FINISHED"}
        assert len(runs(uri)) == len(cells) + 1
        assert {f.path for f in connect(uri).list_artifacts(logged[0].info.run_id)} == {"result.json"}


def test_the_recipe_beside_the_results_means_the_store_of_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    masked = TrackingSettings(uri="http://***@host:5000")
    assert asked_for(masked) == "http://***@host:5000"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:word@host:5000")
    assert asked_for(masked) == "http://me:word@host:5000"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:word@other:5000")
    assert asked_for(masked) == "http://***@host:5000"
    assert "word" not in repr(TrackingSettings(uri="http://me:word@host"))


@contextmanager
def dripping() -> Iterator[str]:
    """A server that begins every answer and then sends a byte now and then, without end."""
    over = threading.Event()

    def answer(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99999\r\n\r\n")
            while not over.wait(0.05):
                connection.sendall(b" ")

    def serve() -> None:
        while not over.is_set():
            with suppress(OSError):
                threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        over.set()
        thread.join()


def test_a_server_that_drips_holds_nothing_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: str) -> None:
    comparison = write_made(tmp_path / "out", SEEDS)
    empty_store(tmp_path / "out" / "mlflow.db")
    connect(store)
    monkeypatch.setattr(client_module, "PATIENCE_SECONDS", 3.0)
    with dripping() as uri:
        with pytest.raises(LexigraftError, match="no answer within 3 seconds"):
            MlflowTracker.open(TrackingSettings(uri=uri, required=True), "x", tmp_path)
        tracker = MlflowTracker.open(TrackingSettings(uri=store), comparison.name, tmp_path / "out")
        from mlflow import MlflowClient

        tracker.client = MlflowClient(tracking_uri=uri)
        start = time.monotonic()
        tracker.start(comparison, "r")
        for cell in comparison.cells:
            tracker.log_cell(made_result(cell), tmp_path / "out")
        assert "no answer within 3 seconds" in tracker.finish(tmp_path / "out")
        assert time.monotonic() - start < 20


def test_a_fall_back_that_cannot_be_opened_fails_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    comparison = write_made(out, SEEDS)
    (out / "mlflow.db").mkdir()
    settings = TrackingSettings(uri=f"http://127.0.0.1:{free_port()}")
    tracker = MlflowTracker.open(settings, comparison.name, out)
    tracker.start(comparison, "r")
    tracker.log_cell(made_result(comparison.cells[0]), out)
    assert "nothing is logged" in tracker.finish(out)
    assert tracker.uri == ""
    assert "nothing is logged" in log_single(settings, "adapt", out, {}, [])


def test_an_experiment_from_the_environment(tmp_path: Path, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    comparison = write_made(out, SEEDS)
    client = connect(store)
    theirs = client.create_experiment("theirs", artifact_location=(tmp_path / "artifacts").as_uri())

    def logged_in(settings: TrackingSettings) -> None:
        assert log_single(settings, "adapt", out, {}, []) == ""

    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "named")
    logged_in(TrackingSettings(uri=store))
    assert len(runs(store, "named")) == 1
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", theirs)
    logged_in(TrackingSettings(uri=store))
    assert logged_again(out, TrackingSettings(uri=store)) == ""
    assert len(runs(store, "theirs")) == 2 + len(comparison.cells)
    logged_in(TrackingSettings(uri=store, experiment="recipe"))
    assert len(runs(store, "recipe")) == 1
