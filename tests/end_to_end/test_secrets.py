"""No password or token of the tracking store is left anywhere by a whole comparison."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile

import pytest
import yaml

from fixtures.commands import lexigraft
from fixtures.recipes import tiny_recipe
from fixtures.tracking import empty_store, free_port

pytestmark = pytest.mark.slow
COMMAND = [sys.executable, "-c", "from lexigraft.cli.main import main; main()"]
PLANTED = "planted-secret"
SECRET_VARIABLES = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "HF_TOKEN")
VARIABLES = {name: f"{PLANTED}-{name}" for name in SECRET_VARIABLES} | {
    "MLFLOW_TRACKING_USERNAME": "me",
    # A store that does not answer is given up at the first try, as it is at the second.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "2",
}


def small(folder: Path, **tracking: object) -> Path:
    empty_store(folder / "out" / "mlflow.db")  # where runs go if the store does not answer: seconds less than a new one
    return tiny_recipe(folder, strategies=["random", "mean"], seeds=[0], poor_model=None, tracking=tracking)


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets in the environment."""
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)


def run_here(*arguments: object) -> tuple[int, str]:
    """Exit code and all output of a command in this process."""
    done = lexigraft(*arguments)
    return done.code, done.out + done.err


def run_watched(*arguments: object) -> tuple[int, str]:
    """The same in processes of its own; while they run, none shows a secret in its arguments."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": "src"}
    with TemporaryFile("w+") as output:
        process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)], env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        while process.poll() is None:
            for arguments_of in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    assert PLANTED.encode() not in arguments_of.read_bytes()
                except OSError:
                    continue  # the process has ended
            time.sleep(0.2)
        output.seek(0)
        return process.returncode, output.read()


def assert_clean(folder: Path, text: str) -> None:
    assert PLANTED not in text, text
    for path in folder.rglob("*"):
        if path.is_file():
            assert PLANTED.encode() not in path.read_bytes(), path


@pytest.mark.parametrize(
    ("run", "jobs"), [(run_here, 1), pytest.param(run_watched, 2, marks=pytest.mark.remote)], ids=["here", "watched"]
)
def test_a_comparison_whose_store_does_not_answer(
    run: Callable[..., tuple[int, str]], jobs: int, tmp_path: Path
) -> None:
    uri = f"http://me:{PLANTED}@127.0.0.1:{free_port()}/?access_token={PLANTED}"
    recipe = small(tmp_path, uri=uri)
    out = tmp_path / "out"
    code, text = run("compare", recipe, "--out", out, "--jobs", jobs)
    assert code == 0, text
    assert "does not answer" in text
    assert_clean(out, text)
    written = yaml.safe_load((out / "recipe.yaml").read_text(encoding="utf-8"))
    assert "***" in written["tracking"]["uri"]
    assert "# ***" in (out / "recipe.yaml").read_text(encoding="utf-8")
    assert "***" in (out / "report.md").read_text(encoding="utf-8")

    code, text = run("compare", out / "recipe.yaml", "--out", out)
    assert code == 0, text
    assert "its password is masked" in text
    assert "2 finished before" in text

    code, text = run_here("compare", recipe, "--out", tmp_path / "none", "--set", "tracking.required=true")
    assert code == 2
    assert_clean(out, text)
    _, text = run_here("doctor", recipe)
    assert_clean(out, text)
    assert "does not answer: http://***@" in text


def test_a_store_from_a_variable_and_a_uri_that_nothing_can_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = small(tmp_path, required=False)
    out = tmp_path / "out"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:{PLANTED}#/x@127.0.0.1:{free_port()}")
    code, text = run_here("compare", recipe, "--out", out)
    assert code == 0, text
    assert_clean(out, text)
