"""`mlflow run --env-manager virtualenv`: MLflow makes an environment with this checkout's Lexigraft and runs a cell."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import yaml

from fixtures.commands import write_files
from fixtures.tracking import empty_store

ROOT = Path(__file__).parents[2]


def _without_pyenv() -> str:
    """Why MLflow cannot make an environment here in a moment; empty where it can."""
    if (program := shutil.which("pyenv")) is None:
        return "pyenv is not installed"
    root = subprocess.run([program, "root"], capture_output=True, text=True).stdout.strip()
    known = Path(root, "versions", platform.python_version()).is_dir()
    return "" if known else f"pyenv has no Python {platform.python_version()}, and would compile it"


pytestmark = [
    pytest.mark.remote,
    pytest.mark.slow,
    pytest.mark.skipif(bool(_without_pyenv()), reason=f"NOT TESTED: {_without_pyenv()}"),
]


def test_a_cell_runs_in_an_environment_that_mlflow_makes(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    recipe = {
        "name": "tiny",
        "source": str(files.source),
        "target_tokenizer": str(files.target),
        "corpus": {"train": str(files.text), "heldout_lines": 4},
        "strategies": ["random"],
        "seeds": [0],
        "adaptation": {"steps": 2, "probe_step": 1, "batch_tokens": 64, "sequence_length": 32},
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    environment = os.environ | {
        "MLFLOW_TRACKING_URI": empty_store(tmp_path / "mlflow.db"),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_ENV_ROOT": str(tmp_path / "environments"),
        "OMP_NUM_THREADS": "1",
        # Lexigraft alone is installed anew; what it needs is taken from here, which saves gigabytes.
        "PIP_NO_DEPS": "1",
        "PYTHONPATH": sysconfig.get_paths()["purelib"],
    }
    given = {"recipe": tmp_path / "recipe.yaml", "cell": "random-s0", "out": tmp_path / "out"}
    command = [sys.executable, "-m", "mlflow", "run", str(ROOT / "mlflow_projects" / "cell")]
    command += [
        "--env-manager",
        "virtualenv",
        *(word for key, value in given.items() for word in ("-P", f"{key}={value}")),
    ]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert len([*(tmp_path / "out" / "cells").glob("random-s0-*/result.json")]) == 1
    [program] = (tmp_path / "environments").glob("*/bin/lexigraft")
    assert f"source {program.parent}/activate && lexigraft cell run" in done.stderr
