"""The guide's tracking server: PostgreSQL, artifacts in a folder, passwords; killed while a comparison runs."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.recipes import tiny_recipe
from fixtures.tracking import free_port
from fixtures.tracking_server import WORDS, guide_block, guide_server, postgres, server_python, set_up, shell
from lexigraft.adapters.tracking.client import connect
from lexigraft.core.evaluation.cells.cell_store import load_comparison

pytestmark = [pytest.mark.remote, pytest.mark.slow, pytest.mark.timeout(1200)]
COMMAND = [sys.executable, "-m", "lexigraft", "compare"]
JOBS = {"MLFLOW_TRACKING_USERNAME": "jobs", "MLFLOW_TRACKING_PASSWORD": WORDS["JOBS_PASSWORD"]}
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": "src", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[Path, Path, int]]:
    """The server's folder, set up; its interpreter; its port."""
    python, home = server_python(), tmp_path / "home"
    home.mkdir()
    with postgres() as reach:
        set_up(home, reach)
        yield home, python, free_port()


def compare(recipe: Path, out: Path, uri: str, *more: str, **variables: str) -> subprocess.Popen[str]:
    command = [*COMMAND, str(recipe), "--out", str(out), "--set", f"tracking.uri={uri}"]
    command += ["--set", "tracking.required=true", *more]
    given = ENVIRONMENT | variables
    return subprocess.Popen(command, env=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def ended(process: subprocess.Popen[str]) -> str:
    text, _ = process.communicate(timeout=500)
    assert process.returncode == 0, text
    return text


def assert_nobody_shows_a_secret() -> None:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            shown = path.read_bytes()
        except OSError:
            continue  # the process has ended
        assert not [word for word in WORDS.values() if word.encode() in shown], shown


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")
def test_the_guides_server_takes_a_comparison_whole_though_it_is_killed_in_the_middle(
    place: tuple[Path, Path, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, python, port = place
    uri, out = f"http://127.0.0.1:{port}", tmp_path / "out"
    recipe = tiny_recipe(tmp_path, strategies=["random", "mean", "subword_mean"], seeds=[0], poor_model=None)
    create = guide_block("users/create").replace(":5000/", f":{port}/")
    assert {stat.S_IMODE((home / name).stat().st_mode) for name in ("users.ini", "server.env")} == {0o600}
    with guide_server(home, python, port) as server:
        assert_nobody_shows_a_secret()
        shell(create.replace("--user admin", f"--user admin:{WORDS['ADMIN_PASSWORD']}"), home)
        text, _ = compare(recipe, tmp_path / "none", uri).communicate(timeout=300)
        assert "the MLflow store does not answer" in text
        assert "not authenticated" in text

        process = compare(recipe, out, uri, **JOBS)
        while not list(out.glob("cells/*/result.json")):
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.05)
        os.killpg(server.pid, signal.SIGKILL)
        assert "stopped answering" in ended(process)
    with guide_server(home, python, port):
        registered = ["--set", "tracking.registered_model=tiny"]
        text = ended(compare(recipe, out, uri, *registered, **JOBS))
        assert "3 finished before" in text
        assert "as tiny, version 1" in text
        for name, value in JOBS.items():
            monkeypatch.setenv(name, value)
        client = connect(uri)
        experiment = client.get_experiment_by_name("tiny")
        assert experiment is not None
        runs = client.search_runs([experiment.experiment_id])
        kinds = sorted(run.data.tags["lexigraft.kind"] for run in runs)
        assert kinds == ["cell", "cell", "cell", "comparison"]
        assert {run.info.status for run in runs} == {"FINISHED"}
        keys = {run.data.tags.get("lexigraft.cell") for run in runs} - {None}
        assert keys == {cell.key for cell in load_comparison(out).cells}
        assert len(list((home / "artifacts").rglob("result.json"))) >= 3
        [version] = client.search_model_versions("name = 'tiny'")
        assert version.tags["lexigraft.cell"] in keys
        assert list((home / "artifacts").rglob("MLmodel"))
        # Without a name and password nothing is shown.
        bare = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}"]
        url = f"{uri}/api/2.0/mlflow/experiments/get?experiment_id={experiment.experiment_id}"
        assert subprocess.run([*bare, url], capture_output=True, text=True).stdout == "401"
    for path in out.rglob("*"):
        assert not path.is_file() or b"planted-" not in path.read_bytes(), path
