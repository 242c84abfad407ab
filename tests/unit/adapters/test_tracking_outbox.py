"""A tracking server that is away, hangs, fails or loses answers: no cell is lost, none is logged twice."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.bad_servers import Answer, Lossy, fail, hang, serving
from fixtures.comparisons import made_cells, made_comparison, made_result, write_made
from fixtures.tracking import empty_store, free_port, server, stop
from lexigraft.adapters.tracking import backoff as backoff_module
from lexigraft.adapters.tracking import client as client_module
from lexigraft.adapters.tracking.backoff import Backoff
from lexigraft.adapters.tracking.client import connect
from lexigraft.adapters.tracking.runs import child_values
from lexigraft.adapters.tracking.single_run import log_single
from lexigraft.adapters.tracking.tracked_comparison import REMEMBERED
from lexigraft.adapters.tracking.tracker import MlflowTracker
from lexigraft.core.config.recipe import TrackingSettings
from lexigraft.core.evaluation.cells.cell import Cell, Comparison
from lexigraft.core.evaluation.cells.cell_store import save_comparison, save_result
from lexigraft.report.writer import write_report

pytestmark = [pytest.mark.remote, pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "3")
    monkeypatch.setattr(backoff_module, "FIRST_SECONDS", 0.0)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A real server for all tests that leave it whole."""
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    empty_store(folder / "mlflow.db")
    with server(folder, port):
        yield port


def begun(out: Path, uri: str, count: int = 4, **more: object) -> tuple[MlflowTracker, Comparison, list[Cell]]:
    cells = made_cells((0,))[:count]
    comparison = made_comparison(cells)
    save_comparison(out, comparison, "r")
    tracker = MlflowTracker.open(TrackingSettings(uri=uri, experiment=out.parent.name, **more), comparison.name, out)
    tracker.start(comparison, "r")
    return tracker, comparison, cells


def finished(tracker: MlflowTracker, cell: Cell, out: Path) -> None:
    save_result(out, made_result(cell))
    tracker.log_cell(made_result(cell), out)


def everything_is_there_once(uri: str, out: Path, comparison: Comparison, cells: list[Cell]) -> None:
    client = connect(uri)
    experiment = client.get_experiment_by_name(out.parent.name)
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    [parent] = [r for r in runs if r.data.tags["lexigraft.kind"] == "comparison"]
    children = {r.data.tags["lexigraft.cell"]: r for r in runs if r is not parent}
    assert len(runs) == len(cells) + 1
    assert set(children) == {cell.key for cell in cells}
    assert {r.info.status for r in runs} == {"FINISHED"}
    assert {"recipe.yaml", "comparison.json"} <= {f.path for f in client.list_artifacts(parent.info.run_id)}
    for cell in cells:
        run = children[cell.key]
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        values = child_values(comparison, made_result(cell))
        assert len(run.data.params) == len(values.parameters)
        names = {name for _, name, _ in values.metrics}
        logged = [(m.step, name, m.value) for name in names for m in client.get_metric_history(run.info.run_id, name)]
        assert sorted(logged) == sorted(values.metrics)
        assert {f.path for f in client.list_artifacts(run.info.run_id)} == {"result.json"}


def test_pauses_double_up_to_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff_module, "FIRST_SECONDS", 15.0)
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    pause, waited = Backoff(), []
    assert pause.over
    for _ in range(8):
        pause.fail()
        began = now
        while not pause.over:
            now += 1
        waited.append(now - began)
    assert waited == [15, 30, 60, 120, 240, 480, 600, 600]


def test_a_server_that_comes_back_in_mid_run_gets_what_it_missed(tmp_path: Path) -> None:
    port, out = free_port(), tmp_path / "out"
    uri = f"http://127.0.0.1:{port}"
    empty_store(tmp_path / "server" / "mlflow.db")
    with server(tmp_path / "server", port) as process:
        tracker, comparison, cells = begun(out, uri)
        finished(tracker, cells[0], out)
        stop(process)
        finished(tracker, cells[1], out)
        assert "stopped answering" in tracker.problem(out)
    with server(tmp_path / "server", port) as process:
        finished(tracker, cells[2], out)
        assert tracker.problem(out) == ""
        # Stopped, it takes connections and answers none; then it does all that it was asked meanwhile.
        os.killpg(process.pid, signal.SIGSTOP)
        began = time.monotonic()
        finished(tracker, cells[3], out)
        assert "stopped answering" in tracker.problem(out)
        assert time.monotonic() - began < client_module.PATIENCE_SECONDS + 5
        os.killpg(process.pid, signal.SIGCONT)
        assert tracker.finish(out, write_report(out)) == ""
        everything_is_there_once(uri, out, comparison, cells)


@pytest.mark.parametrize("answer", [hang, fail])
def test_a_server_that_hangs_or_fails_ends_nothing_and_the_next_start_sends_all(
    tmp_path: Path, port: int, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff_module, "FIRST_SECONDS", 600.0)
    out = tmp_path / "out"
    empty_store(out / "mlflow.db")
    began = time.monotonic()
    with serving(answer) as bad:
        tracker, comparison, cells = begun(out, f"http://127.0.0.1:{bad}")
        for cell in cells:
            finished(tracker, cell, out)
        message = tracker.finish(out, write_report(out))
    assert "does not answer" in message
    assert "the same command logs them later" in message
    assert time.monotonic() - began < 60
    uri = f"http://127.0.0.1:{port}"
    again, _, _ = begun(out, uri, required=True)
    assert again.finish(out, write_report(out)) == ""
    everything_is_there_once(uri, out, comparison, cells)


def test_a_server_that_was_away_at_the_start_gets_all_when_it_answers(tmp_path: Path, port: int) -> None:
    out, away = tmp_path / "out", free_port()
    uri = f"http://127.0.0.1:{away}"
    empty_store(out / "mlflow.db")
    tracker, comparison, cells = begun(out, uri)
    finished(tracker, cells[0], out)
    assert tracker.uri.startswith("sqlite:///")
    with serving(Lossy(port, 1_000_000), away):
        for cell in cells[1:]:
            finished(tracker, cell, out)
        assert tracker.uri == uri
        assert tracker.finish(out, write_report(out)) == ""
        everything_is_there_once(uri, out, comparison, cells)


@pytest.mark.parametrize("every", [2, 3])
def test_lost_answers_log_nothing_twice(tmp_path: Path, port: int, every: int) -> None:
    out, lossy = tmp_path / "out", Lossy(port, every)
    with serving(lossy) as lost:
        tracker, comparison, cells = begun(out, f"http://127.0.0.1:{lost}", required=True)
        for cell in cells:
            finished(tracker, cell, out)
        tracker.finish(out, write_report(out))
    assert lossy.lost > len(cells)
    with serving(Lossy(port, 1_000_000), lost):
        again, _, _ = begun(out, f"http://127.0.0.1:{lost}")
        assert again.finish(out, write_report(out)) == ""
        everything_is_there_once(f"http://127.0.0.1:{lost}", out, comparison, cells)


def test_a_call_that_was_given_up_and_goes_on_logs_nothing_twice(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, uri = tmp_path / "out", f"http://127.0.0.1:{port}"
    tracker, comparison, cells = begun(out, uri, count=2)
    goes_on = threading.Event()
    send = type(tracker._runs)._send

    def slowly(*given: object) -> None:
        goes_on.wait(60)
        send(*given)

    monkeypatch.setattr(type(tracker._runs), "_send", slowly)
    monkeypatch.setattr(client_module, "PATIENCE_SECONDS", 0.5)
    finished(tracker, cells[0], out)
    assert "no answer within" in tracker.problem(out)
    monkeypatch.setattr(type(tracker._runs), "_send", send)
    monkeypatch.setattr(client_module, "PATIENCE_SECONDS", 60.0)
    threading.Timer(1, goes_on.set).start()
    for cell in cells:
        finished(tracker, cell, out)
    assert tracker.finish(out, write_report(out)) == ""
    everything_is_there_once(uri, out, comparison, cells)


def test_processes_that_finish_together_log_each_cell_once(tmp_path: Path, port: int) -> None:
    out, uri = tmp_path / "out", f"http://127.0.0.1:{port}"
    cells = made_cells((0,))
    comparison = write_made(out, (0,))
    messages: list[str] = []

    def one() -> None:
        tracker = MlflowTracker.open(TrackingSettings(uri=uri, experiment=tmp_path.name), comparison.name, out)
        tracker.start(comparison, "r")
        messages.append(tracker.finish(out))

    threads = [threading.Thread(target=one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert messages == ["", "", ""]
    everything_is_there_once(uri, out, comparison, cells)


@pytest.mark.parametrize("kept", ["", "{}", "[1]", '{"store": 3, "parent": "gone"}'])
def test_a_damaged_memory_of_the_parent_is_looked_up(tmp_path: Path, port: int, kept: str) -> None:
    out, uri = tmp_path / "out", f"http://127.0.0.1:{port}"
    tracker, comparison, cells = begun(out, uri, count=1)
    finished(tracker, cells[0], out)
    (out / REMEMBERED).write_text(kept)
    again, _, _ = begun(out, uri, count=1)
    assert again.finish(out) == ""
    everything_is_there_once(uri, out, comparison, cells)


def single_runs(uri: str, name: str) -> list[tuple[str, int]]:
    client = connect(uri)
    experiment = client.get_experiment_by_name(name)
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    return [(r.info.status, len(client.get_metric_history(r.info.run_id, "loss"))) for r in runs]


@pytest.mark.parametrize("every", [2, 3])
def test_a_single_run_whose_answers_are_lost_is_there_once(tmp_path: Path, port: int, every: int) -> None:
    lossy, name = Lossy(port, every), tmp_path.name
    with serving(lossy) as lost:
        settings = TrackingSettings(uri=f"http://127.0.0.1:{lost}", required=True, experiment=name)
        assert log_single(settings, "adapt", tmp_path, {"a": 1}, ((s, "loss", 1.0) for s in range(5))) == ""
    assert lossy.lost > 1
    assert single_runs(f"http://127.0.0.1:{port}", name) == [("FINISHED", 5)]


def test_a_single_run_that_a_server_takes_in_part_is_whole_in_the_folder(tmp_path: Path, port: int) -> None:
    relay, name = Lossy(port, 1_000_000), tmp_path.name
    empty_store(tmp_path / "mlflow.db")

    def breaks(connection: socket.socket) -> None:
        (relay if relay.posted < 3 else fail)(connection)

    with serving(breaks) as broken:
        settings = TrackingSettings(uri=f"http://127.0.0.1:{broken}", required=True, experiment=name)
        message = log_single(settings, "adapt", tmp_path, {"a": 1}, ((s, "loss", 1.0) for s in range(5)))
    assert "does not answer" in message
    assert single_runs(f"sqlite:///{tmp_path}/mlflow.db", name) == [("FINISHED", 5)]
