"""The page on sentence encoders: its code trains an adapted model, whose pairs then find each other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fixtures.commands import write_files
from lexigraft.testing.sample_text import SAMPLE

GUIDE = Path(__file__).parents[2] / "docs/guides/sentence-encoder.md"


def test_the_python_of_the_guide_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for package in ("sentence_transformers", "datasets"):
        pytest.importorskip(package)
    write_files(tmp_path).source.rename(tmp_path / "adapted")
    sentences = [line for line in SAMPLE["source"].splitlines() if line][:24]
    for part in ("train", "test"):
        (tmp_path / f"{part}.en").write_text("\n".join(sentences), encoding="utf-8")
        (tmp_path / f"{part}.sw").write_text("\n".join(line.upper() for line in sentences), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    [code] = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.S)
    smaller = {"max_seq_length = 128": "max_seq_length = 64", "epochs=1": "epochs=12", "rate=2e-5": "rate=5e-3"}
    for shown, ours in smaller.items():
        assert shown in code
        code = code.replace(shown, ours)
    exec(compile(code, "sentence-encoder.md", "exec"), {})
    before, after = (float(share) for share in re.findall(r"found \w+ (\S+)", capsys.readouterr().out))
    assert after > before + 0.2
    assert (tmp_path / "encoder/modules.json").is_file()
