"""Tasks: which file a command line's file is, when they are due, and what the keys of cells hold of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from fixtures.evaluators import write_warmth
from lexigraft.api.compare.cell_keys import cells_of
from lexigraft.api.compare.inputs import Prepared, Texts
from lexigraft.api.compare.setup import check_recipe
from lexigraft.api.tasks import Task, due, read_tasks, task_files
from lexigraft.core.config.adaptation import AdaptSettings
from lexigraft.core.config.evaluation import EvaluationSettings
from lexigraft.core.config.recipe import CompareSettings
from lexigraft.core.data.corpus import Corpus
from lexigraft.core.errors import LexigraftError, UnknownName
from lexigraft.core.evaluation.evaluator import EvaluationData, Evaluator
from lexigraft.core.registry import PLUGIN_PATH


@pytest.fixture(autouse=True)
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PLUGIN_PATH, str(write_warmth(tmp_path / "plugins")))


@pytest.mark.parametrize(
    ("pairs", "found"),
    [
        (["test=a.txt"], {"test": ["a.txt"]}),
        (["a.txt"], {"test": ["a.txt"]}),
        (["words=w.txt", "a.txt", "test=b.txt"], {"words": ["w.txt"], "test": ["a.txt", "b.txt"]}),
        (["tset=a.txt"], {"tset": ["a.txt"]}),
        (["test=a=b.txt"], {"test": ["a=b.txt"]}),
        ([], {}),
    ],
)
def test_a_file_alone_is_what_is_tested_on(pairs: Sequence[str], found: dict[str, list[str]]) -> None:
    assert task_files("warmth", pairs) == found


def test_a_file_alone_may_have_an_equals_sign_in_its_name(tmp_path: Path) -> None:
    path = tmp_path / "a=b.txt"
    path.touch()
    assert task_files("warmth", [str(path)]) == {"test": [str(path)]}


def test_the_only_file_of_an_evaluator_needs_no_name() -> None:
    assert task_files("bits_per_byte", ["a.txt", "b.txt"]) == {"text": ["a.txt", "b.txt"]}


def test_an_unknown_evaluator_is_answered_with_the_closest() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'warmth'"):
        task_files("wramth", ["a.txt"])


@pytest.mark.parametrize(("step", "names"), [(0, "s"), (2, "p"), (4, "e"), (3, "")])
def test_tasks_are_due_at_the_start_at_the_probe_and_at_the_end(step: int, names: str) -> None:
    at = {"s": "start", "p": "probe", "e": "end"}
    data = EvaluationData(hash="0", size=1)
    tasks = [Task(name, Evaluator(), data, frozenset({moment})) for name, moment in at.items()]
    assert "".join(task.name for task in due(tasks, step, AdaptSettings(steps=4, probe_step=2))) == names


def test_without_adaptation_the_start_is_the_end() -> None:
    task = Task("t", Evaluator(), EvaluationData(hash="0", size=1), frozenset({"end"}))
    assert list(due([task], 0, AdaptSettings(steps=0))) == [task]


def key(folder: Path, content: str = "Mayu.\nWasi.\n", **changed: Any) -> str:
    """The key of the only cell of a recipe with a task on a file in a folder."""
    folder.mkdir(exist_ok=True)
    (folder / "lines.txt").write_text(content)
    task = {"evaluator": "warmth", "files": {"test": str(folder / "lines.txt")}, "at": ["end", "start"]} | changed
    recipe = CompareSettings.model_validate(
        {
            "source": "somewhere",
            "target_tokenizer": "elsewhere",
            "corpus": {"train": "text.txt"},
            "strategies": ["random"],
            "seeds": [0],
            "evaluation": {"tasks": {"t": task}},
        }
    )
    texts = Texts(Corpus.of(["a line"]), Corpus.of(["another"]), {}, None, read_tasks(recipe.evaluation.tasks))
    [cell] = cells_of(recipe, Prepared("elsewhere", None, "hash"), texts, "hash", check_recipe(recipe))
    return cell.key


def test_a_cell_is_known_by_what_its_tasks_read_and_ask_and_not_by_where_it_lies(tmp_path: Path) -> None:
    one = key(tmp_path / "one")
    assert key(tmp_path / "two") == one
    assert key(tmp_path / "two", at=["start", "end"]) == one
    assert key(tmp_path / "two", options={"least": 0.0}) == one
    words = tmp_path / "words.txt"
    words.write_text("mayu\n")
    others = [
        key(tmp_path / "two", "Mayu.\nwasi.\n"),
        key(tmp_path / "two", "Wasi.\nMayu.\n"),
        key(tmp_path / "two", options={"least": 0.1}),
        key(tmp_path / "two", evaluator="cold"),
        key(tmp_path / "two", at=["end"]),
        key(tmp_path / "two", files={"test": str(tmp_path / "one" / "lines.txt"), "words": str(words)}),
    ]
    assert len({one, *others}) == 7


def test_a_task_that_cannot_be_read_is_named() -> None:
    settings = EvaluationSettings.model_validate({"tasks": {"pos": {"evaluator": "warmth", "files": {"words": "w"}}}})
    with pytest.raises(LexigraftError, match=r"^task pos: evaluator warmth needs more files: test. test: lines$"):
        read_tasks(settings.tasks)
