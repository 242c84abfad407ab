"""An evaluator's file dropped into a folder is everywhere at once, with nothing else touched."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from fixtures.commands import lexigraft
from lexigraft.api.plugins.catalog import check_plugin, list_plugins, plugin_details
from lexigraft.api.plugins.evaluators import EvaluatorRecord, by_data
from lexigraft.api.plugins.scaffold import new_plugin
from lexigraft.core.errors import LexigraftError, UnknownName
from lexigraft.core.evaluation.evaluator import EvaluationContext, read_data
from lexigraft.core.registry import PLUGIN_PATH, make
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.tiny_models import fixture

pytestmark = pytest.mark.usefixtures("one_thread")
NAME = "thrown_away"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A plug-in folder with one new evaluator."""
    made = tmp_path_factory.mktemp("plugins")
    new_plugin("evaluator", NAME, made)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PLUGIN_PATH, str(made))
        yield made


def test_it_is_listed_with_its_files_and_kinds(folder: Path) -> None:
    listed = lexigraft("evaluators", "list")
    assert listed.code == 0, listed
    text, tasks = listed.out.split("measure tasks\n")
    assert text.startswith("measure held-out text\n  bits_per_byte  How many bits")
    assert "\n                 text; causal, masked, seq2seq models\n" in text
    assert f"  {NAME}  " in tasks
    (found,) = [one for one in lexigraft("evaluators", "list", "--json").json if one["name"] == NAME]
    assert found["file"] == str((folder / "evaluators" / f"{NAME}.py").resolve())
    assert found["files"] == {"test": {"holds": "word TAB translation, one pair a line", "required": True}}
    assert found["kinds"] == ["causal", "masked", "seq2seq"]
    assert (found["text"], found["lower_is_better"], found["aliases"]) == (False, False, {})


def test_it_is_shown_with_its_options(folder: Path) -> None:
    shown = lexigraft("evaluators", "show", NAME)
    assert shown.code == 0, shown
    for part in ("--data test=  word TAB translation", "main figure   higher is better", "nearest   int    1"):
        assert part in shown.out
    as_json = lexigraft("evaluators", "show", NAME, "--json").json
    assert as_json["fields"] == [{"name": "nearest", "type": "int", "default": 1}]
    found = plugin_details(EvaluatorRecord, NAME).as_json()
    assert json.loads(json.dumps(as_json)) == found | {"files": as_json["files"]}
    assert "(may be left out)" not in shown.out


def test_it_keeps_the_whole_contract(folder: Path) -> None:
    done = lexigraft("evaluators", "check", NAME)
    # 8 laws of form, 6 of data, 11 on each of 4 models; the order of its items only the evaluator knows.
    assert (done.code, done.out) == (0, f"{NAME}: 54 passed, 0 failed, 4 not applicable\n")


def test_it_measures_what_it_says(folder: Path, tmp_path: Path) -> None:
    """Three words whose own rows are made orthogonal; the third pair's translation is another word's."""
    model, tokenizer, _ = fixture("llama-untied")
    vocabulary = Vocabulary.of(tokenizer)
    words = [word for word in ("the", "and", "river") if len(vocabulary.encode([word])[0]) == 1]
    assert len(words) == 3
    with torch.no_grad():
        table = model.get_input_embeddings().weight
        for place, (token,) in enumerate(vocabulary.encode(words)):
            table[token] = 5 * torch.eye(table.shape[1])[place]
    (tmp_path / "pairs.tsv").write_text("the\tthe\nand\tand\nriver\tand\n", encoding="utf-8")
    evaluator = make("evaluator", NAME)
    data = read_data(evaluator, {"test": [str(tmp_path / "pairs.tsv")]})
    scores = evaluator.evaluate(model, vocabulary, data, EvaluationContext())
    # Cosines: the~the 1, and~and 1, river~and 0, which is no less than river~the 0: nothing is nearer, so it counts.
    assert scores.items["precision"].numerators.tolist() == [1, 1, 1]
    (tmp_path / "pairs.tsv").write_text("the\tthe\nand\tand\nriver\tand\nthe\triver\n", encoding="utf-8")
    data = read_data(evaluator, {"test": [str(tmp_path / "pairs.tsv")]})
    scores = evaluator.evaluate(model, vocabulary, data, EvaluationContext())
    # river: "river" itself is now among the translations, with cosine 1 > 0; the~river is 0 beside the~the 1.
    assert scores.items["precision"].numerators.tolist() == [1, 1, 0, 0]
    assert scores.figures == {"precision": 0.5}
    two = make("evaluator", NAME, {"nearest": "2"}).evaluate(model, vocabulary, data, EvaluationContext())
    assert two.figures == {"precision": 1.0}


@pytest.mark.parametrize(
    ("line", "part"), [("river", "line is not a pair"), ("river\t ", "1: river"), ("", "no pairs")]
)
def test_what_it_cannot_read_is_refused(folder: Path, tmp_path: Path, line: str, part: str) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text(f"{line}\n" if line else "", encoding="utf-8")
    with pytest.raises(LexigraftError, match=part):
        read_data(make("evaluator", NAME), {"test": [str(path)]})


def test_a_broken_file_is_listed_as_broken_and_breaks_nothing_else(folder: Path) -> None:
    torn = folder / "evaluators" / "torn.py"
    torn.write_text("def half(:\n")
    try:
        assert "BROKEN: SyntaxError" in lexigraft("evaluators", "list").out
        assert list(by_data(list_plugins(EvaluatorRecord))) == ["measure held-out text", "measure tasks", "broken"]
        shown = lexigraft("evaluators", "show", "torn")
        assert "This evaluator is broken: SyntaxError" in shown.out
        checked = lexigraft("evaluators", "check", "torn", "--json")
        assert (checked.code, checked.json["failed"][0]["law"]) == (1, "the file loads")
        refused = lexigraft("evaluate", "model", "--task", "torn", "--data", "test=x")
        assert refused.code == 2
        assert "evaluator is broken: torn" in refused.err
    finally:
        torn.unlink()


@pytest.mark.parametrize("name", ["Mine", "my-measure", "class", "_hidden", "bits_per_byte", NAME])
def test_names_that_cannot_be_are_refused_and_nothing_is_written(folder: Path, name: str) -> None:
    before = sorted(folder.rglob("*.py"))
    done = lexigraft("evaluators", "new", name, "--folder", folder)
    assert done.code == 2
    assert "evaluator" in done.err
    assert sorted(folder.rglob("*.py")) == before


def test_a_new_file_says_how_to_try_it_and_is_not_replaced(tmp_path: Path) -> None:
    done = lexigraft("evaluators", "new", "fresh", "--folder", tmp_path, "--json")
    path = tmp_path / "evaluators" / "fresh.py"
    assert done.json == {"file": str(path), "environment": f"LEXIGRAFT_PLUGINS={tmp_path}"}
    path.write_text("mine")
    again = lexigraft("evaluators", "new", "fresh", "--folder", tmp_path)
    assert (again.code, path.read_text()) == (2, "mine")


def test_new_files_are_well_formed_and_their_class_takes_no_imported_name(tmp_path: Path) -> None:
    written = [new_plugin("evaluator", "item_scores", tmp_path), new_plugin("strategy", "plan", tmp_path)]
    assert "class NewItemScores(Evaluator)" in written[0].read_text()
    assert "class NewPlan(Strategy)" in written[1].read_text()
    ruff = [str(Path(sys.executable).with_name("ruff")), "check", "--line-length", "120", *map(str, written)]
    done = subprocess.run(ruff, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_an_unknown_name_is_answered_with_the_closest() -> None:
    with pytest.raises(UnknownName, match="bits_per_byte"):
        check_plugin("evaluator", "bits_per_bite")
    with pytest.raises(UnknownName, match="bits_per_byte"):
        plugin_details(EvaluatorRecord, "bits_per_bite")
