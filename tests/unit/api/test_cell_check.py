"""The check of a machine before it runs cells: everything that is wrong with it is found at once, and named."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from fixtures.commands import lexigraft, write_files
from lexigraft.api.study.machine_check import check_machine
from lexigraft.api.study.remote import _differences
from lexigraft.core.utils.versions import versions


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    files = write_files(tmp_path)
    values = {
        "source": str(files.source),
        "target_tokenizer": str(files.target),
        "corpus": {"train": str(files.text), "heldout_lines": 4},
        "strategies": ["random"],
        "adaptation": {"steps": 2, "sequence_length": 32},
    }
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def closed_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


def changed(recipe: Path, **values: Any) -> Path:
    recipe.write_text(yaml.safe_dump(yaml.safe_load(recipe.read_text()) | values))
    return recipe


def test_a_machine_that_will_do(recipe: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        found = check_machine(recipe, tmp_path / "out", tracking=address)
    assert (found.problems, found.warnings) == ((), ())
    assert found.versions == versions()
    assert found.free_bytes
    assert list((tmp_path / "out").iterdir()) == []


def test_everything_that_is_wrong_is_named_at_once(recipe: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    (tmp_path / "out").write_text("a file")
    corpus = {"train": "/not/on/this/node.txt"}
    address = f"http://127.0.0.1:{closed_port()}"
    changed(recipe, corpus=corpus, tracking={"required": True})
    # What cannot be read is told with the recipe; the server is required only by a recipe that can be read.
    found = check_machine(recipe, tmp_path / "out", gpus=1, tracking=address)
    told = "\n".join(found.problems)
    asked = "GPUs asked for: 1, seen by PyTorch: 0"
    for words in (asked, "/not/on/this/node.txt", "cannot be written", address[7:]):
        assert words in told


def test_a_server_that_is_not_required_is_a_warning(recipe: Path, tmp_path: Path) -> None:
    found = check_machine(recipe, tmp_path / "out", tracking=f"http://127.0.0.1:{closed_port()}")
    assert found.problems == ()
    assert "cannot be reached" in found.warnings[0]


def test_a_disk_and_a_gpu_that_are_too_small_are_named(recipe: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("lexigraft.api.study.machine_check._gpus", lambda: (("Tiny GPU", 1000),))
    monkeypatch.setattr("shutil.disk_usage", lambda folder: (0, 0, 1000))
    monkeypatch.setattr(
        "lexigraft.api.study.machine_check.shutil.disk_usage", lambda folder: type("U", (), {"free": 1000})()
    )
    told = "\n".join(check_machine(recipe, tmp_path / "out", gpus=1).problems)
    assert "Tiny GPU has 0.0 GB, and a cell needs about" in told
    assert "0.00 GB are free" in told


def test_the_command_prints_one_line_of_json_and_fails_where_something_is_wrong(recipe: Path, tmp_path: Path) -> None:
    command = ("cell", "check", "--recipe", recipe, "--out", tmp_path / "out")
    good = lexigraft(*command, "--json")
    assert (good.code, good.out.count("\n"), good.json["checked"]["problems"]) == (0, 1, [])
    (tmp_path / "target.txt").unlink()
    bad = lexigraft(*command)
    assert bad.code == 2
    assert "! text not found" in bad.out
    assert lexigraft(*command, "--json").code == 2


def test_another_version_and_another_time_are_problems() -> None:
    now = time.time()
    same = {"versions": versions(), "time": now}
    assert _differences(same, now - 3600) == []
    older = {"versions": versions() | {"lexigraft": "0.0.1"}, "time": now}
    assert _differences(older, now) == [f"it has Lexigraft 0.0.1, and this machine {versions()['lexigraft']}"]
    assert "4,0" in _differences(same | {"time": now + 4000}, now)[0]
    assert "behind this machine's" in _differences(same | {"time": now - 4000}, now)[0]
