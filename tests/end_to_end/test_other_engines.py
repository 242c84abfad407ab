"""The page on other engines: its files are read, its Lexigraft commands parse, and what can be tried here is tried."""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from lexigraft.cli.main import app

PAGE = (Path(__file__).parents[2] / "docs/guides/other-engines.md").read_text(encoding="utf-8")
ENGINES = ("SkyPilot", "Hugging Face Jobs", "dstack", "Ray Jobs", "NeMo-Run")
BLOCKS = dict(re.findall(rf"^## ({'|'.join(ENGINES)})\n.*?```\w+\n(.*?)```", PAGE, re.S | re.M))


def lexigraft_command(engine: str) -> list[str]:
    """The words after ``lexigraft`` in an engine's example."""
    text = BLOCKS[engine].replace("\\\n", " ")
    if engine == "NeMo-Run":
        text = next(
            node.value.value
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.keyword) and node.arg == "inline" and isinstance(node.value, ast.Constant)
        )
    return shlex.split(re.findall(r"\blexigraft (cell .+)", text)[0])


@pytest.mark.parametrize("engine", ENGINES)
def test_every_example_has_a_command_of_ours_that_parses(engine: str) -> None:
    group = get_command(app)
    words = lexigraft_command(engine)
    for _ in range(2):  # `cell`, then `run`
        name, *words = words
        group = group.commands[name]  # type: ignore[attr-defined]
    given = group.make_context("run", words).params
    assert (str(given["recipe"]), str(given["out"])) == ("/work/recipe.yaml", "/work/results")
    assert given["cell"] in ("focus-s0", "$CELL")


@pytest.mark.parametrize(("engine", "cell"), [("SkyPilot", {"CELL": "focus-s0"}), ("dstack", "CELL=focus-s0")])
def test_the_files_are_readable_and_name_the_cell(engine: str, cell: object) -> None:
    read = yaml.safe_load(BLOCKS[engine])
    assert cell == read.get("envs") or cell in read.get("env", ())


def test_hugging_face_takes_the_command(tmp_path: Path) -> None:
    program = shutil.which("hf", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("the program hf is not installed")
    words = shlex.split(BLOCKS["Hugging Face Jobs"].replace("\\\n", " "))
    assert words[:3] == ["hf", "jobs", "run"]
    environment = {**os.environ, "HOME": str(tmp_path), "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    tried = subprocess.run(
        [program, "jobs", "run", "--dry-run", *words[3:]], env=environment, capture_output=True, text=True, timeout=120
    )
    if "No such option" in tried.stderr:
        pytest.skip("this version of hf has no dry run")
    assert tried.returncode == 0, tried.stderr
    assert "lexigraft cell run --recipe /work/recipe.yaml --cell focus-s0 --out /work/results" in tried.stdout
