"""Backend configurations: keys are a launcher's fields, and what is wrong is named with what was meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from lexigraft.core.errors import LexigraftError
from lexigraft.core.registry import discover
from lexigraft.core.remote.backend import read_backend
from lexigraft.core.remote.launcher import Launcher, Resources


def config(folder: Path, text: str) -> Path:
    path = folder / "backend.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_keys_are_read_as_their_fields_declare(tmp_path: Path) -> None:
    text = "cpus: 4\nmemory: 16GB\ntime: 90m\npass_env: [HF_TOKEN]\n"
    launcher = read_backend("local", config(tmp_path, text))
    assert launcher.resources == Resources(cpus=4, memory=16 * 10**9, seconds=5400)
    assert launcher.pass_env == ("HF_TOKEN",)
    assert read_backend("local", config(tmp_path, '{"time": "1-00:00:00"}')).time == 86400
    assert read_backend("local", config(tmp_path, "")) == read_backend("local")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("memmory: 16GB", "unknown field of launcher 'local': memmory. Did you mean 'memory'"),
        ("memory: lots", "field 'memory'"),
        ("time: soon", "not a time"),
        ("cpus: -1", "field 'cpus'"),
        ("- cpus", "must be a mapping"),
        ("cpus: [", "not readable YAML"),
    ],
)
def test_a_bad_configuration_is_refused_by_its_key(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(LexigraftError, match=words):
        read_backend("local", config(tmp_path, text))


def test_an_unknown_backend_and_a_missing_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(LexigraftError, match=r"locl\. Did you mean 'local'"):
        read_backend("locl")
    with pytest.raises(LexigraftError, match="backend configuration not found"):
        read_backend("local", tmp_path / "none.yaml")


def test_a_variable_to_pass_must_be_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ONE", "1")
    monkeypatch.delenv("TWO", raising=False)
    assert read_backend("local", config(tmp_path, "pass_env: [ONE]")).passed() == {"ONE": "1"}
    with pytest.raises(LexigraftError, match="pass_env is not set: TWO"):
        read_backend("local", config(tmp_path, "pass_env: [ONE, TWO]")).passed()


def test_a_dropped_file_is_a_launcher_and_one_without_its_methods_is_broken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "launchers").mkdir()
    base = "from dataclasses import dataclass\nfrom lexigraft.plugins.launchers.local import Local\n"
    whole = (
        '@dataclass(frozen=True)\nclass Mine(Local):\n    """Mine."""\n    name = "mine"\n    partition: str = "gpu"\n'
    )
    (tmp_path / "launchers" / "mine.py").write_text(base + whole)
    half = base.replace("plugins.launchers.local import Local", "core.remote.launcher import Launcher")
    (tmp_path / "launchers" / "half.py").write_text(half + whole.replace("Local", "Launcher").replace("mine", "half"))
    monkeypatch.setenv("LEXIGRAFT_PLUGINS", str(tmp_path))
    assert read_backend("mine", config(tmp_path, "partition: a100\ncpus: 2")).resources.cpus == 2
    assert "evidence, stop, submit" in (discover("launcher")["half"].broken or "")
    with pytest.raises(LexigraftError, match=r"partitoin\. Did you mean 'partition'"):
        read_backend("mine", config(tmp_path, "partitoin: a100"))
    assert issubclass(discover("launcher")["mine"].cls or object, Launcher)
