"""The MLproject folders run with `mlflow run`, and their commands are ones that the CLI has."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from fixtures.tracking import empty_store
from lexigraft.adapters.tracking.client import connect
from lexigraft.testing.tiny_models import fixture

HOST = "https://git.example.org"
PROJECTS = Path(__file__).parents[2] / "mlflow_projects"
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A source model, a target tokenizer, target text and a recipe, all tiny."""
    model, source, target = fixture("roberta-tied-bias")
    model.save_pretrained(tmp_path / "source")
    source.save_pretrained(tmp_path / "source")
    target.save_pretrained(tmp_path / "target")
    lines = [f"wasi {i} ñan mayu {i * 7} qillqa runa simi {i % 13} killa" for i in range(400)]
    (tmp_path / "text.txt").write_text("\n".join(lines), encoding="utf-8")
    adaptation = {"steps": 2, "batch_tokens": 128, "sequence_length": 32, "probe_step": 1}
    recipe = {
        "name": "tiny",
        "source": "source",
        "target_tokenizer": "target",
        "corpus": {"train": "text.txt", "heldout_lines": 4},
        "strategies": ["random", "mean"],
        "reference": "random",
        "seeds": [0],
        "adaptation": adaptation,
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    empty_store(tmp_path / "mlflow.db")
    return tmp_path


def mlflow_run(project: str, place: Path, *parameters: str, uri: str = "") -> str:
    binaries = Path(sys.executable).parent
    environment = os.environ | {
        "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
        "MLFLOW_TRACKING_URI": f"sqlite:///{place}/mlflow.db",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "OMP_NUM_THREADS": "1",
    }
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "run",
        uri or str(PROJECTS / project),
        "--env-manager",
        "local",
        "--experiment-name",
        "tiny",
    ]
    for parameter in parameters:
        command += ["-P", parameter]
    done = subprocess.run(command, env=environment, cwd=place, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.remote
def test_compare_runs_as_a_project_from_a_git_url(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work, bare = place / "work", place / "lexigraft.git"
    shutil.copytree(PROJECTS, work / "mlflow_projects", symlinks=True)
    who = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    for command in (["init", "-q", "-b", "main"], ["add", "."], [*who, "commit", "-qm", "projects"]):
        subprocess.run(["git", "-C", str(work), *command], check=True)
    subprocess.run(["git", "clone", "-q", "--bare", str(work), str(bare)], check=True)
    commit = subprocess.run(["git", "-C", str(bare), "rev-parse", "main"], capture_output=True, text=True, check=True)
    # MLflow takes file:// for a folder, so the URL is one of the web, which git finds on the disk.
    for name, value in {"COUNT": "1", "KEY_0": f"url.file://{place}/.insteadOf", "VALUE_0": f"{HOST}/"}.items():
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    # Paths of a recipe are meant from where the command is started; the project itself lies in a clone elsewhere.
    given = ("recipe=recipe.yaml", f"out={place / 'out'}")
    mlflow_run("", place, *given, uri=f"{HOST}/lexigraft.git#mlflow_projects/compare")
    assert (place / "out" / "report.html").exists()
    assert len((place / "out" / "results.csv").read_text().splitlines()) > 8
    client = connect(f"sqlite:///{place}/mlflow.db")
    found = client.get_experiment_by_name("tiny")
    assert found is not None
    runs = client.search_runs([found.experiment_id])
    # The fourth run is the project's own.
    assert sorted(r.data.tags.get("lexigraft.kind", "") for r in runs) == ["", "cell", "cell", "comparison"]
    assert commit.stdout.strip() in {r.data.tags.get("mlflow.source.git.commit") for r in runs}


@pytest.mark.remote
def test_pretrain_and_adapt_run_as_projects(place: Path) -> None:
    made, adapted = place / "made", place / "adapted"
    given = ("corpus=text.txt", "steps=2", "batch-tokens=256")
    mlflow_run("pretrain", place, *given, f"tokenizer={place / 'target'}", f"out={made}")
    assert (made / "model.safetensors").exists()
    mlflow_run("adapt", place, *given, f"model={made}", f"out={adapted}")
    assert (adapted / "model.safetensors").exists()
    assert not list(PROJECTS.rglob("mlflow.db"))


@pytest.mark.remote
def test_graft_and_evaluate_run_as_projects(place: Path) -> None:
    grafted = place / "grafted"
    given = (f"source={place / 'source'}", f"tokenizer={place / 'target'}", "strategy=mean", f"out={grafted}")
    mlflow_run("graft", place, *given)
    assert "bits_per_byte" in mlflow_run("evaluate", place, f"model={grafted}", "heldout=text.txt", "max-lines=2")


def test_every_project_has_an_environment_with_this_checkout() -> None:
    projects = sorted(path.parent for path in PROJECTS.glob("*/MLproject"))
    assert [path.name for path in projects] == ["adapt", "cell", "compare", "evaluate", "graft", "pretrain", "transfer"]
    for project in projects:
        asked = yaml.safe_load((project / "python_env.yaml").read_text(encoding="utf-8"))["dependencies"]
        assert asked == ["-c lexigraft/constraints.txt", "./lexigraft"]
        for name in ("pyproject.toml", "constraints.txt", "README.md", "LICENSE", "src"):
            assert (project / "lexigraft" / name).resolve() == PROJECTS.parent / name


@pytest.mark.parametrize("name", ["compare", "graft", "adapt", "evaluate", "pretrain", "cell run", "transfer"])
def test_every_option_of_a_project_is_one_of_the_command(name: str) -> None:
    words = name.split()
    project = yaml.safe_load((PROJECTS / words[0] / "MLproject").read_text(encoding="utf-8"))
    entry = project["entry_points"]["main"]
    program, *rest = shlex.split(entry["command"])
    assert (program, rest[: len(words)]) == ("lexigraft", words)
    binary = Path(sys.executable).with_name("lexigraft")
    shown = subprocess.run([str(binary), *words, "--help"], capture_output=True, text=True, check=True)
    assert all(option in shown.stdout for option in rest if option.startswith("--"))
    assert set(re.findall(r"\{(\w+)\}", entry["command"])) == set(entry["parameters"])
    assert not [p for p in entry["parameters"].values() if isinstance(p, dict) and "default" in p]
