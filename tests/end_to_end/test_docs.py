"""What the documents say is run: example strategies, recipes, commands and options, the generated table."""

from __future__ import annotations

import re
import shlex
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from generate import GENERATED
from typer.testing import CliRunner

from fixtures.commands import lexigraft, write_files
from lexigraft.api.compare.study import ComparisonStudy
from lexigraft.api.tasks import make_evaluator
from lexigraft.core.config.adaptation import AdaptSettings
from lexigraft.core.config.base import validate
from lexigraft.core.config.evaluation import EvaluationSettings
from lexigraft.core.config.recipe import CompareSettings
from lexigraft.core.config.recipe_files import read_recipe, read_settings, read_study_recipe
from lexigraft.core.config.suite import SuiteSettings
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.benchmark.record import read_record
from lexigraft.core.evaluation.item_store import save_items
from lexigraft.core.registry import discover, make
from lexigraft.testing.contract import run_checks
from lexigraft.testing.evaluator_contract import run_evaluator_checks
from lexigraft.testing.tiny_models import fixture

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "examples/README.md",
]
IMPORTS = """from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lexigraft.strategies import InitContext, Mix, Plan, Strategy


"""


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.S)


@pytest.mark.parametrize("page", GENERATED, ids=str)
def test_generated_parts_are_current(page: Path) -> None:
    written = (ROOT / page).read_text(encoding="utf-8")
    assert GENERATED[page]().strip() in written, "run `python docs/generate.py`"


EXAMPLES = [
    ("README.md", "shortest"),
    ("docs/guides/write-a-strategy.md", "longest_piece"),
]


@pytest.mark.parametrize(("page", "name"), EXAMPLES)
def test_example_strategies_keep_the_contract(
    page: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = next(b for b in blocks(page, "python") if f'"{name}"' in b)
    if "import" not in code:
        code = f'"""An example."""\n\n{IMPORTS}{code}'
    (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
    monkeypatch.setenv("LEXIGRAFT_PLUGINS", str(tmp_path))
    outcomes = run_checks(discover("strategy")[name], fixtures=("roberta-tied-bias", "llama-untied"))
    assert [o for o in outcomes if o.outcome == "failed"] == []
    assert sum(o.outcome == "passed" for o in outcomes) > 20


def test_the_python_of_the_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = next(block for block in blocks("README.md", "python") if block.startswith("import lexigraft"))
    files = write_files(tmp_path)
    for name in ("quechua.txt", "quechua.heldout.txt"):
        (tmp_path / name).write_bytes(files.text.read_bytes())
    smaller = {
        '"FacebookAI/xlm-roberta-base"': repr(str(files.source)),
        '"qu-tokenizer"': repr(str(files.target)),
        'out="adapted")': 'out="adapted", settings=settings)',
    }
    for shown, ours in smaller.items():
        assert shown in code
        code = code.replace(shown, ours)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {"settings": AdaptSettings(steps=2, sequence_length=64)})
    covered, figure = capsys.readouterr().out.splitlines()
    assert "new tokens covered" in covered
    assert float(figure) > 0


def test_the_published_table_of_pairs_is_made_and_analyzed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = blocks("docs/concepts/transfer-statistics.md", "python")[0]
    perplexities = {"Abaza": (64, 32), "Zulu": (16, 8), "Akan": (4, 2)}
    wide = {
        "token_ratio": {"Abaza": (0.1, 0.2), "Zulu": (0.3, 0.4), "Akan": (0.5, 0.6)},
        "tl_results_june": perplexities,
    }
    for name, rows in wide.items():
        lines = ["hr_lang,Coptic,Akan", *(f"{donor},{a},{b}" for donor, (a, b) in rows.items())]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "transfer-statistics.md", "exec"), {})
    done = lexigraft("analyze", "pairs.csv", "--outcome", "perplexity", "--lower-is-better", "--json")
    assert done.code == 0, done
    (found,) = done.json["correlations"]
    assert found["pairs"] == 5, "Akan is no donor of its own"
    # log2 of the perplexity is 7 - 10 overlap. Perplexities 64 32 16 8 4 have the mean 24.8 and the deviations 39.2 7.2
    # -8.8 -16.8 -20.8, squares 2380.8; overlaps -.2 -.1 0 .1 .2 of their mean, squares .1; products -14.4.
    assert found["pearson_log"] == pytest.approx(-1)
    assert found["spearman"] == pytest.approx(-1)
    assert found["pearson"] == pytest.approx(-14.4 / (0.1 * 2380.8) ** 0.5)


def test_the_names_of_the_package_that_documents_give_exist() -> None:
    import lexigraft

    named = {name for page in PAGES for name in re.findall(r"lexigraft\.(\w+)\(", page.read_text(encoding="utf-8"))}
    assert {"graft", "graft_model", "adapt", "evaluate"} <= named
    assert [name for name in sorted(named) if not hasattr(lexigraft, name)] == []


def test_the_guides_test_runs_on_the_guides_strategy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    strategy, test, *package = blocks("docs/guides/write-a-strategy.md", "python")
    assert len(package) == 2, "the package's blocks are run by test_need_of_another_package.py"
    (tmp_path / "longest_piece.py").write_text(strategy, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    space: dict[str, Any] = {}
    exec(test, space)
    space["test_longest_piece_keeps_the_contract"]()
    monkeypatch.delitem(sys.modules, "longest_piece")


def test_the_guides_evaluator_keeps_the_contract_and_its_test_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluator, test = blocks("docs/guides/write-an-evaluator.md", "python")
    (tmp_path / "preferred_sentence.py").write_text(evaluator, encoding="utf-8")
    monkeypatch.setenv("LEXIGRAFT_PLUGINS", str(tmp_path))
    outcomes = run_evaluator_checks(discover("evaluator")["preferred_sentence"], ["llama-untied", "t5-tied"])
    assert [o for o in outcomes if o.outcome == "failed"] == []
    assert sum(o.outcome == "passed" for o in outcomes) == 8 + 6 + 10, "of 11 laws on models one does not apply"
    monkeypatch.syspath_prepend(str(tmp_path))
    space: dict[str, Any] = {}
    exec(test, space)
    space["test_preferred_sentence_keeps_the_contract"]()
    monkeypatch.delitem(sys.modules, "preferred_sentence")


def test_the_recipe_and_the_python_of_the_guide_to_evaluation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = "docs/guides/evaluate.md"
    [values] = [yaml.safe_load(block) for block in blocks(page, "yaml")]
    settings = validate(EvaluationSettings, values["evaluation"], "guide")
    [task] = [make_evaluator(name, task) for name, task in settings.tasks.items()]
    assert task == make("evaluator", "minimal_pairs", {"batch_tokens": 4096})
    assert set(settings.tasks["pairs"].files) <= set(task.files)

    measuring, reading = blocks(page, "python")
    model, tokenizer, _ = fixture("llama-untied")
    model.save_pretrained(tmp_path / "out/adapted")
    tokenizer.save_pretrained(tmp_path / "out/adapted")
    pairs = "sen\twrong_sen\nThe children play.\tThe children plays.\nShe sings.\tShe sing.\n"
    (tmp_path / "pairs.tsv").write_text(pairs, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    space: dict[str, Any] = {}
    exec(compile(measuring, page, "exec"), space)
    figure, outcomes = capsys.readouterr().out.split(maxsplit=1)
    share = sum(map(float, outcomes.strip("[] \n").split())) / 2
    assert float(figure) == share
    save_items(Path("items.parquet"), space["found"].items)
    exec(compile(reading, page, "exec"))
    assert [line.split() for line in capsys.readouterr().out.splitlines()[1:2]] == [["accuracy/pairs", figure]]


def test_the_recipes_of_the_guide_are_valid() -> None:
    smallest, large = map(yaml.safe_load, blocks("docs/guides/recipes.md", "yaml")[:2])
    for key in validate(CompareSettings, smallest, "guide").model_fields_set:
        with pytest.raises(LexigraftError):
            validate(CompareSettings, {name: value for name, value in smallest.items() if name != key}, "guide")
    recipe = validate(CompareSettings, large, "guide")
    assert [s.label for s in recipe.strategies][3:5] == ["sharper", "both"]


SUITES = {ROOT / "examples/reference-small.yaml", ROOT / "examples/reference-gpu.yaml"}
RECIPES = {*ROOT.glob("examples/*.yaml"), *ROOT.glob("examples/reference-gpu/*.yaml")} - SUITES


@pytest.mark.parametrize("recipe", sorted(RECIPES), ids=lambda p: str(p.relative_to(ROOT / "examples")))
def test_example_recipes_are_valid(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEXIGRAFT_DATA", "/data")
    monkeypatch.setenv("LEXIGRAFT_MODELS", "/models")
    read = read_study_recipe(recipe)
    assert read.source.startswith("/models/") or read.source == "FacebookAI/xlm-roberta-base"
    assert len(read.seeds) == 3


@pytest.mark.parametrize("suite", sorted(SUITES), ids=lambda p: p.stem)
def test_example_suites_are_valid_and_have_the_record_that_they_name(
    suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEXIGRAFT_DATA", "/data")
    monkeypatch.setenv("LEXIGRAFT_MODELS", "/models")
    read = read_settings(suite, SuiteSettings)
    names = set()
    for entry in read.recipes:
        recipe, plain = (read_recipe(Path(entry.path), changes) for changes in (entry.overrides, {}))
        assert recipe.evaluation.tasks.keys() == plain.evaluation.tasks.keys(), "an override changes tasks, adds none"
        ComparisonStudy(recipe).check_from_afar(files=False)
        names.add(recipe.name)
    assert len(names) == len(read.recipes)
    if read.record_file is not None:
        record = read_record(Path(read.record_file))
        assert record.suite == read.name
        assert set(record.comparisons) == names


def commands() -> list[str]:
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        found += re.findall(r"^ {4}(?:\w+=\S+ )*(?:\.venv/bin/)?lexigraft ([^#\n]+)", text, re.M)
    return sorted(set(found))


@cache
def shown_help(*words: str) -> str:
    from lexigraft.cli.main import app

    shown = CliRunner().invoke(app, [*words, "--help"])
    assert shown.exit_code == 0, shown.output
    return shown.output


@pytest.mark.parametrize("command", commands())
def test_commands_and_options_exist(command: str) -> None:
    from lexigraft.cli.main import app

    words = shlex.split(command)
    depth = 2 if words[0] in {group.name for group in app.registered_groups} else 1
    shown = shown_help(*words[:depth])
    for option in (w for w in words if w.startswith("--")):
        assert option in shown
