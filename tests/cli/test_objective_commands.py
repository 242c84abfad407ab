"""`lexigraft objectives`, and `adapt --objective` with options and files."""

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


def test_list_and_show() -> None:
    listed = {one["name"]: one for one in lexigraft("objectives", "list", "--json").json}
    assert listed["distil_source"]["kinds"] == ["causal"]
    assert list(listed["distil_source"]["files"]) == ["teacher", "text"]
    assert (listed["entity_prediction"]["annotated"], listed["translico"]["lays_out"]) == (True, True)
    usual, _, others = lexigraft("objectives", "list").out.partition("\nothers\n")
    assert "the usual one of a kind of models" in usual
    assert all(f"  {name} " in usual for name in ("causal", "masked", "span_corruption"))
    assert "[transliterations]; masked models" in others
    shown = lexigraft("objectives", "show", "distil_source").out
    assert "--objective-file teacher=" in shown
    assert "lines_per_sequence" in shown
    assert "Minixhofer et al. 2025" in shown
    wrong = lexigraft("objectives", "show", "distill_source")
    assert (wrong.code, "Did you mean 'distil_source'?" in wrong.err) == (2, True)


def test_new_writes_a_file_that_is_then_listed_and_a_broken_one_is_listed_as_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = lexigraft("objectives", "new", "my_loss", "--folder", tmp_path)
    assert (made.code, "lexigraft objectives check my_loss" in made.out) == (0, True)
    (tmp_path / "objectives" / "bad.py").write_text("raise ValueError('no')")
    monkeypatch.setenv("LEXIGRAFT_PLUGINS", str(tmp_path))
    listed = lexigraft("objectives", "list").out
    assert "keep the input rows short" in listed
    assert "BROKEN: ValueError: no" in listed
    assert lexigraft("objectives", "check", "bad").code == 1
    taken = lexigraft("objectives", "new", "masked", "--folder", tmp_path)
    assert (taken.code, "has this name already" in taken.err) == (2, True)
