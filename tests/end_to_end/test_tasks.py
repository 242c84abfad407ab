"""Tasks of a recipe, as a user runs them: measured, kept item by item, tracked, refused when wrong."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
import yaml

from fixtures.commands import Files, lexigraft, write_files
from fixtures.evaluators import write_warmth
from fixtures.recipes import tiny_recipe
from lexigraft.api.compare.inputs import load_texts
from lexigraft.core.config.recipe_files import read_recipe
from lexigraft.core.evaluation.item_store import load_items
from lexigraft.core.registry import PLUGIN_PATH

pytestmark = pytest.mark.slow
TASKS: dict[str, Any] = {
    "warmth": {"files": {"test": "./lines.txt"}, "at": ["start", "end"]},
    "colder": {"evaluator": "cold", "files": {"test": "./lines.txt", "words": ["./words.txt"]}},
}
SMALL = {"strategies": ["random"], "poor_model": None, "gold_links": None, "dictionary": None, "reference": None}


@pytest.fixture(scope="module", autouse=True)
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = write_warmth(tmp_path_factory.mktemp("plugins"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PLUGIN_PATH, str(folder))
        yield folder


def recipe_with_tasks(folder: Path) -> Path:
    """A tiny recipe with two tasks on four lines, two of which stand in its training text."""
    recipe = tiny_recipe(folder, **SMALL, evaluation={"tasks": TASKS})
    train = load_texts(read_recipe(recipe, {"evaluation.tasks": {}})).train.lines
    (folder / "lines.txt").write_text("\n".join([train[0], "Yachay wasi.", train[-1], "Mayu."]) + "\n")
    (folder / "words.txt").write_text("mayu\n")
    return recipe


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("whole")
    recipe = recipe_with_tasks(folder)
    done = lexigraft("compare", recipe, "--out", folder / "out")
    assert done.code == 0, done
    return recipe, folder / "out"


def figures(out: Path) -> dict[tuple[str, int, int, str], float]:
    with (out / "results.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {(r["strategy"], int(r["seed"]), int(r["step"]), r["metric"]): float(r["value"]) for r in rows}


def cell_of(out: Path, label: str, seed: int) -> Path:
    [folder] = out.glob(f"cells/{label}-s{seed}-*")
    return folder


def test_a_task_is_measured_when_the_recipe_says(whole: tuple[Path, Path]) -> None:
    _, out = whole
    found = figures(out)
    for seed in (0, 1):
        steps = {metric: {k[2] for k in found if k[1] == seed and k[3] == metric} for *_, metric in found}
        assert steps["warm/warmth"] == {0, 4}
        assert steps["warm/colder"] == {4}
        assert steps["bits_per_byte/heldout"] == {0, 2, 4}
        assert found["random", seed, 4, "seed/warmth"] == seed
        assert found["random", seed, 0, "moved/warmth"] == 0 < found["random", seed, 4, "moved/warmth"]
        assert found["random", seed, 4, "seen/colder"] > 100
        assert found["random", seed, 4, "warm/colder"] == 0, "the alias asks for more warmth than there is"
    assert found["random", 0, 4, "drawn/warmth"] != found["random", 1, 4, "drawn/warmth"]


def test_every_items_outcome_is_kept_in_the_datas_order(whole: tuple[Path, Path]) -> None:
    _, out = whole
    found = figures(out)
    for step, metrics in {
        0: {"bits_per_byte/heldout", "bits_per_byte/source", "warm/warmth", "warmth/warmth", "drawn/warmth"},
        4: {"bits_per_byte/heldout", "warm/warmth", "warm/colder", "warmth/colder", "drawn/colder"},
    }.items():
        table = pandas.read_parquet(cell_of(out, "random", 1) / "items" / f"step-{step}.parquet")
        assert list(table.columns) == ["metric", "item", "numerator", "denominator"]
        assert metrics <= set(table["metric"])
        for metric, rows in table.groupby("metric", observed=True):
            assert rows["item"].tolist() == list(range(len(rows)))
            ratio = rows["numerator"].sum() / rows["denominator"].sum()
            assert ratio == pytest.approx(found["random", 1, step, str(metric)], rel=1e-12), metric
        drawn = table[table["metric"] == "drawn/warmth"]["numerator"]
        assert drawn.tolist() == np.random.default_rng(1).random(4).tolist()


def test_lines_that_a_task_tests_on_are_not_trained_on(whole: tuple[Path, Path]) -> None:
    recipe, _ = whole
    tested = (recipe.parent / "lines.txt").read_text().splitlines()
    without = load_texts(read_recipe(recipe, {"evaluation.tasks": {}}))
    texts = load_texts(read_recipe(recipe))
    assert len(set(tested) & set(without.train.lines)) == 2
    assert not set(tested) & set(texts.train.lines)
    assert len(texts.train) == len(without.train) - 2
    assert set(tested) <= texts.unseen


def test_scores_are_metrics_with_their_step_under_legal_names(whole: tuple[Path, Path]) -> None:
    from mlflow.tracking import MlflowClient
    from mlflow.utils.validation import _validate_metric_name

    recipe, out = whole
    client = MlflowClient(f"sqlite:///{recipe.parent / 'mlflow.db'}")
    experiments = [one.experiment_id for one in client.search_experiments()]
    runs = client.search_runs(experiments, "params.strategy = 'random' and params.seed = '1'")
    [run] = [one for one in runs if one.data.tags["lexigraft.kind"] == "cell"]
    for metric in run.data.metrics:
        _validate_metric_name(metric)
    found = figures(out)
    history = {point.step: point.value for point in client.get_metric_history(run.info.run_id, "warmth/warmth")}
    assert history == {step: found["random", 1, step, "warmth/warmth"] for step in (0, 4)}
    history = {point.step: point.value for point in client.get_metric_history(run.info.run_id, "warm/colder")}
    assert history == {4: found["random", 1, 4, "warm/colder"]}


def test_what_a_task_notes_is_in_the_cells_result(whole: tuple[Path, Path]) -> None:
    _, out = whole
    result = (cell_of(out, "random", 0) / "result.json").read_text()
    assert "warmth: nothing repaired" in result
    assert "colder: measured by hand" in result


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """A masked model with text, and tasks' files of two lines and of none."""
    made = write_files(tmp_path_factory.mktemp("files"))
    (made.source.parent / "lines.txt").write_text("Mayu.\nWasi.\n")
    (made.source.parent / "empty.txt").write_text("\n")
    return made


def task(**changed: Any) -> dict[str, Any]:
    return {"evaluator": "warmth", "files": {"test": "./lines.txt"}} | changed


MISTAKES: dict[str, tuple[Mapping[str, Any], str]] = {
    "unknown evaluator": ({"pos": task(evaluator="warmht")}, "unknown evaluator: warmht. Did you mean 'warmth'"),
    "unknown evaluator by the task's name": (
        {"warmt": {"files": {}}},
        "unknown evaluator: warmt. Did you mean 'warmth'",
    ),
    "unknown option": ({"pos": task(options={"lest": 1})}, "unknown field of evaluator 'warmth': lest"),
    "an option's wrong value": ({"pos": task(options={"least": "much"})}, "'least' of evaluator 'warmth' cannot take"),
    "unknown file": (
        {"pos": task(files={"tset": "./lines.txt"})},
        "task pos: unknown file of warmth: tset. Did you mean 'test'",
    ),
    "no file": ({"pos": task(files={})}, "task pos: evaluator warmth needs more files: test. test: lines"),
    "missing file": ({"pos": task(files={"test": "./nowhere.txt"})}, "nowhere.txt"),
    "a file without items": ({"pos": task(files={"test": "./empty.txt"})}, "task pos: there are no lines"),
    "the name of a text": ({"heldout": task()}, "a task and a text share the name 'heldout'"),
    "the name of a further text": ({"news": task()}, "a task and a text share the name 'news'"),
    "a name that is a path": ({"../pos": task()}, "../pos"),
    "a name of dots": ({"..": task()}, "evaluation.tasks"),
    "a moment that is none": ({"pos": task(at=["middle"])}, "evaluation.tasks.pos.at"),
    "never": ({"pos": task(at=[])}, "evaluation.tasks.pos.at"),
    "a model of another kind": ({"pos": task(evaluator="causal_only")}, "causal_only does not measure masked models"),
}


def one_error(text: str, expected: str) -> None:
    assert text.startswith("error: ")
    assert expected in " ".join(text.split())
    assert "Traceback" not in text


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_task_is_one_error_before_anything_runs(mistake: str, files: Files, tmp_path: Path) -> None:
    tasks, expected = MISTAKES[mistake]
    values = {
        "source": str(files.source),
        "target_tokenizer": str(files.target),
        "corpus": {"train": str(files.text), "heldout_lines": 4, "also_heldout": {"news": str(files.source_text)}},
        "strategies": ["random"],
        "adaptation": {"steps": 2, "batch_tokens": 64, "sequence_length": 32, "probe_step": 0},
        "evaluation": {"tasks": tasks},
        "tracking": {"enabled": False},
    }
    path = files.source.parent / "recipe.yaml"
    path.write_text(yaml.safe_dump(values))
    done = lexigraft("compare", path, "--out", tmp_path / "out")
    assert done.code == 2
    one_error(done.err, expected)
    assert not (tmp_path / "out").exists()
    examined = lexigraft("doctor", path, "--json")
    assert examined.code == 2
    said = " ".join(f["what"] for f in examined.json["findings"] if f["mark"] == "bad")
    assert expected in " ".join(said.split())


def test_doctor_lists_every_missing_file_of_tasks_and_reads_the_others(files: Files, tmp_path: Path) -> None:
    lines = str(files.source.parent / "lines.txt")
    values = {
        "source": str(files.source),
        "target_tokenizer": str(files.target),
        "corpus": {"train": str(files.text)},
        "strategies": ["random"],
        "evaluation": {
            "tasks": {
                "pos": task(files={"test": ["./one.txt", lines], "words": "./two.txt"}),
                "ner": task(files={"test": "./three.txt"}),
                "fine": task(files={"test": lines}, at=["end", "start"]),
            }
        },
        "tracking": {"enabled": False},
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(values))
    said = {f["what"]: f["mark"] for f in lexigraft("doctor", tmp_path / "recipe.yaml", "--json").json["findings"]}
    for key in (
        "pos: test not found: {}/one.txt",
        "pos: words not found: {}/two.txt",
        "ner: test not found: {}/three.txt",
    ):
        assert said[f"task {key.format(tmp_path)}"] == "bad"
    assert said["task fine: warmth, 2 items, measured at the start, end"] == "good"
    assert said["task fine: nothing repaired"] == "note"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = write_files(tmp_path_factory.mktemp("model"))
    (made.source.parent / "lines.txt").write_text("The river.\nThe house.\nThe market.\n")
    return made.source


def test_evaluate_measures_a_task(model: Path, tmp_path: Path) -> None:
    lines = model.parent / "lines.txt"
    asked = ["evaluate", model, "--task", "warmth"]
    plain = lexigraft(*asked, "--data", lines, "--json", "--seed", 7)
    assert plain.code == 0, plain
    assert set(plain.json) == {"warm/warmth", "warmth/warmth", "drawn/warmth", "seed/warmth"}
    assert plain.json["drawn/warmth"] == pytest.approx(np.random.default_rng(7).random(3).mean())
    assert plain.json["seed/warmth"] == 7

    table = tmp_path / "kept" / "items.parquet"
    more = ["--data", f"test={lines}", "--data", f"words={lines}", "--set", "least=100", "--items", table]
    shown = lexigraft(*asked, *more, "--train", lines, "--heldout", lines)
    assert shown.code == 0, shown
    printed = dict(line.split(maxsplit=1) for line in shown.out.splitlines())
    assert printed["warm/warmth"] == "0.0000 ± 0.0000 (3 items)", "nothing is that warm"
    figure, spread = printed["warmth/warmth"].split(" ± ")
    assert float(figure) == pytest.approx(plain.json["warmth/warmth"], abs=1e-4)
    assert float(spread.removesuffix(" (3 items)")) > 0
    assert printed["seen/warmth"] == printed["tokens/heldout"]
    assert int(printed["tokens/heldout"]) > 0
    assert "bits_per_byte/heldout" in printed
    assert shown.err.splitlines() == ["warmth: nothing repaired", "warmth: measured by hand"]
    items = load_items(table)
    assert {name for name in items if name.endswith("/warmth")} == {"warm/warmth", "warmth/warmth", "drawn/warmth"}
    assert "bits_per_byte/heldout" in items
    assert items["warmth/warmth"].ratio == pytest.approx(plain.json["warmth/warmth"])


def test_evaluate_takes_an_alias_and_its_own_options_win(model: Path) -> None:
    asked = ["evaluate", model, "--task", "cold", "--data", model.parent / "lines.txt", "--json"]
    assert set(lexigraft(*asked).json) == {"warm/cold", "warmth/cold", "drawn/cold", "seed/cold"}
    assert lexigraft(*asked, "--set", "least=-100").json["warm/cold"] == 1.0


COMMANDS: dict[str, tuple[list[str], str]] = {
    "unknown evaluator": (["--task", "warmht", "--data", "lines.txt"], "Did you mean 'warmth'"),
    "unknown option": (["--task", "warmth", "--data", "lines.txt", "--set", "lest=1"], "Did you mean 'least'"),
    "unknown file": (["--task", "warmth", "--data", "tset=lines.txt"], "Did you mean 'test'"),
    "no file": (["--task", "warmth"], "needs more files: test"),
    "missing file": (["--task", "warmth", "--data", "nowhere.txt"], "nowhere.txt"),
    "another kind": (["--task", "causal_only", "--data", "lines.txt"], "does not measure masked models"),
    "data without a task": (["--data", "lines.txt"], "--data and --set are for a task"),
    "nothing": ([], "there is nothing to measure on"),
    "a task as an evaluator of text": (
        ["--heldout", "lines.txt", "--evaluator", "warmth"],
        "this evaluator does not measure running text: warmth. Name it under evaluation.tasks, with its files: test",
    ),
}


@pytest.mark.parametrize("mistake", COMMANDS)
def test_evaluate_refuses_mistakes_before_weights_load(
    mistake: str, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = shutil.copytree(files.source, tmp_path / "damaged")
    (damaged / "model.safetensors").write_bytes(b"not weights")
    monkeypatch.chdir(files.source.parent)
    words, expected = COMMANDS[mistake]
    done = lexigraft("evaluate", damaged, *words, "--items", tmp_path / "items.parquet")
    assert (done.code, done.out) == (2, "")
    one_error(done.err, expected)
    assert list(tmp_path.iterdir()) == [damaged]
