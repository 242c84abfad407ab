"""The Dockerfile's install steps in an empty virtual environment, with the files that it copies and no others.

No image is built. PyTorch's build for processors stands in for the one with CUDA: its index is the build argument
`TORCH_INDEX`, as by `docker build --build-arg`; where that index cannot be reached, pip's own configuration decides.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
pytestmark = [pytest.mark.remote, pytest.mark.slow, pytest.mark.timeout(1800)]


def steps() -> list[list[str]]:
    """The Dockerfile's instructions as words, lines joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = re.sub(r"^#.*\n", "", text, flags=re.M).replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines if line.strip()]


def reachable(index: str) -> bool:
    try:
        with urllib.request.urlopen(f"{index}/torch/", timeout=20):
            return True
    except OSError:
        return False


def test_the_install_steps_work_in_an_empty_environment(tmp_path: Path) -> None:
    context, environment = tmp_path / "context", tmp_path / "environment"
    context.mkdir()
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    python = str(environment / "bin/python")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    installs = 0
    for kind, *words in steps():
        if kind == "COPY":
            *sources, into = words
            for source in sources:
                target = context / into / ("" if (ROOT / source).is_dir() else source)
                copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
                copy(ROOT / source, target)
        if kind == "RUN":
            assert words[:2] == ["pip", "install"], "a step that this test does not run"
            given = [word.replace("${TORCH_INDEX}", CPU_INDEX) for word in words[1:]]
            if "--index-url" in given and not reachable(CPU_INDEX):
                at = given.index("--index-url")
                del given[at : at + 2]
            done = subprocess.run(
                [python, "-m", "pip", "--disable-pip-version-check", *given],
                cwd=context,
                env=clean,
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, done.stderr[-2000:]
            installs += 1
    assert installs == 2
    shutil.rmtree(context)

    def run(*command: str) -> str:
        return subprocess.run(command, cwd=tmp_path, env=clean, check=True, capture_output=True, text=True).stdout

    assert "No broken requirements" in run(python, "-m", "pip", "check")
    pinned = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.M))
    assert run(python, "-c", "import torch; print(torch.__version__)").strip().split("+")[0] == pinned["torch"]
    assert "Run one cell" in run(str(environment / "bin/lexigraft"), "cell", "run", "--help")
    job = tmp_path / "job"
    run(python, "-m", "lexigraft.core.remote.wrapper", str(job), "--", str(environment / "bin/lexigraft"), "--help")
    assert '"exit_code": 0' in (job / "ended.json").read_text(encoding="utf-8")
    run(python, "-c", "import lightkube, datasets")
