"""`lexigraft adapt --objective` with options and files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fixtures.commands import Files, lexigraft


@pytest.fixture
def dictionary(tmp_path: Path) -> Path:
    path = tmp_path / "words.tsv"
    path.write_text("river\tbread\nhouse\tmarket\n")
    return path


def test_adapt_with_an_objective_that_reads_a_file(files: Files, dictionary: Path, tmp_path: Path) -> None:
    out = tmp_path / "adapted"
    chosen = ["--objective", "lexical_contrast:weight=0.2,layer=1", "--objective-file", f"dictionary={dictionary}"]
    sizes = ["--steps", 1, "--batch-tokens", 64, "--sequence-length", 32]
    done = lexigraft("adapt", files.source, "--corpus", files.text, *chosen, *sizes, "--out", out)
    assert done.code == 0, done.err
    settings = json.loads((out / "lexigraft.json").read_text())["settings"]
    assert settings["objective"] == "lexical_contrast"
    assert settings["objective_options"] == {"weight": 0.2, "layer": 1}
    assert settings["objective_files"] == {"dictionary": [str(dictionary)]}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--objective", "lexical_contrast"], "objective lexical_contrast needs more files: dictionary"),
        (["--objective", "lexical_contrast", "--objective-file", "words.tsv"], "--objective-file needs name=file"),
        (["--objective", "lexical_contrast:weigth=1"], "Did you mean 'weight'?"),
        (["--objective-file", "dictionary=words.tsv"], "objective_files needs an objective"),
    ],
)
def test_mistakes_leave_nothing_behind(arguments: list[str], message: str, files: Files, tmp_path: Path) -> None:
    out = tmp_path / "adapted"
    refused = lexigraft("adapt", files.source, "--corpus", files.text, *arguments, "--out", out)
    assert refused.code == 2
    assert message in refused.err
    assert not out.exists()
