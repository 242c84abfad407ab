"""Classification of texts and pairs: what the text decides is learned, and each bad input is one error."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.evaluator import EvaluationContext, read_data
from lexigraft.core.evaluation.scores import Scores
from lexigraft.core.registry import make
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.plugins.evaluators.classification import Classification
from lexigraft.testing.sample_text import SOURCE_TEXT
from lexigraft.testing.tiny_models import fixture

WORDS = sorted({word for word in SOURCE_TEXT.split() if word.isalpha() and word.islower()})[::8]
TOPICS = {"bread": "food", "mountain": "land", "school": "people"}


def write(path: Path, columns: str, rows: Sequence[tuple[str, ...]]) -> list[str]:
    lines = [columns.replace(" ", "\t"), *("\t".join(row) for row in rows)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return [str(path)]


def topics(count: int, seed: int) -> list[tuple[str, ...]]:
    """Texts with a word of their topic at any place, said twice."""
    draw, rows = np.random.default_rng(seed), []
    for n in range(count):
        word = list(TOPICS)[n % 3]
        text = [str(w) for w in draw.choice(WORDS, 3)]
        for _ in range(2):
            text.insert(int(draw.integers(0, len(text) + 1)), word)
        rows.append((TOPICS[word], f"{' '.join(text)} {n} {seed}"))
    return rows


def measure(evaluator: Classification, files: dict[str, list[str]], name: str = "bert-tied-bias") -> Scores:
    model, tokenizer, _ = fixture(name)
    data = read_data(evaluator, files)
    return evaluator.evaluate(model, Vocabulary.of(tokenizer), data, EvaluationContext(0))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def sib(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    folder = tmp_path_factory.mktemp("sib")
    sizes = {"train": 120, "dev": 15, "test": 30}
    return {
        name: write(folder / f"{name}.tsv", "category text", topics(size, seed))
        for seed, (name, size) in enumerate(sizes.items())
    }


@pytest.mark.parametrize(
    ("name", "pooling"),
    [("bert-tied-bias", "mean"), ("bert-tied-bias", "first"), ("llama-tied", "mean"), ("t5-tied", "mean")],
)
def test_topics_are_learned(sib: dict[str, list[str]], name: str, pooling: str) -> None:
    scores = measure(make("evaluator", "sib200", {"how": "probe", "pooling": pooling}), sib, name)
    assert scores.main == "accuracy"
    assert scores.figures["chance"] == pytest.approx(1 / 3)
    assert scores.figures["accuracy"] > 0.6
    assert len(scores.items["accuracy"].numerators) == 30
    assert scores.figures["unknown_share"] < 0.01


def test_full_fine_tuning_learns_topics(sib: dict[str, list[str]]) -> None:
    scores = measure(make("evaluator", "sib200", {"how": "full", "epochs": 4, "learning_rate": 0.005}), sib)
    assert scores.figures["accuracy"] > 0.8


def test_a_pair_is_read_as_a_pair(tmp_path: Path) -> None:
    """The label says which of two words stands in the second text; the first text holds the other one or the same."""
    draw = np.random.default_rng(0)

    def rows(count: int, seed: int) -> list[tuple[str, ...]]:
        made = []
        for n in range(count):
            one, two = (("the", "food", "market")[i] for i in draw.choice(3, 2))
            made.append((f"{one} {n}", f"{two} {n} {seed}", two))
        return made

    columns = "premise hypothesis label"
    files = {"train": write(tmp_path / "a", columns, rows(150, 0)), "test": write(tmp_path / "b", columns, rows(40, 1))}
    assert measure(make("evaluator", "nli", {"how": "probe"}), files).figures["accuracy"] > 0.7


def test_labels_that_nothing_decides_stay_at_chance(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    rows = [(str(draw.choice(["A", "B"])), f"{draw.choice(WORDS)} {n}") for n in range(500)]
    files = {
        "train": write(tmp_path / "a", "label text", rows[:200]),
        "test": write(tmp_path / "b", "label text", rows[200:]),
    }
    # The deviation of an accuracy of one half over 300 texts is 0.5 / sqrt(300) = 0.03.
    assert measure(Classification(how="probe"), files).figures["accuracy"] == pytest.approx(0.5, abs=0.12)


def test_long_texts_are_cut_and_counted(sib: dict[str, list[str]], tmp_path: Path) -> None:
    rows = [*topics(15, 5), ("food", "bread " * 300)]
    files = sib | {"test": write(tmp_path / "a", "category text", rows)}
    scores = measure(make("evaluator", "sib200", {"how": "probe", "max_length": 64}), files)
    assert scores.notes == ("1 test texts were cut to 64 tokens",)
    assert scores.items["accuracy"].numerators[-1] == 1


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        ("A a\nB b", "A c\nX d", "test texts have classes without a training text: X"),
        ("A a\nB b\nC c", "A d\nB e", "classes without a test text: C"),
        ("A a\nB b", "A a\nB c", "test items are also training items: 1 of 2"),
        ("A a\nA b", "A c", "the training texts have one class only: A"),
        ("A a\nB ", "A c\nB d", "column 'text' is empty.*line 3"),
        (" a\nB b", "A c\nB d", "column 'label' is empty.*line 2"),
        ("", "A c\nB d", "there is no labeled text"),
    ],
)
def test_bad_data_is_refused_without_a_model(tmp_path: Path, train: str, test: str, message: str) -> None:
    sides = {"train": train, "test": test}
    files = {
        name: write(tmp_path / name, "label text", [tuple(row.split(" ")) for row in side.split("\n") if row])
        for name, side in sides.items()
    }
    with pytest.raises(LexigraftError, match=message):
        read_data(Classification(), files)


def test_uneven_classes_are_counted_where_asked_for(tmp_path: Path) -> None:
    files = {
        "train": write(tmp_path / "a", "label text", [("A", "a"), ("B", "b"), ("C", "c")]),
        "test": write(tmp_path / "b", "label text", [("A", "d"), ("X", "e"), ("X", "e")]),
    }
    assert read_data(Classification(uneven_labels="count"), files).notes == (
        "1 test texts are repetitions",
        "2 test texts have classes that no training text has: X",
        "classes without a test text: B, C",
    )


def test_a_mistyped_column_and_options_that_train_nothing_are_refused(sib: dict[str, list[str]]) -> None:
    with pytest.raises(
        LexigraftError, match=r"no field 'label'.* --set label=…, or use the presets sib200 or nli\. Known: "
    ):
        read_data(Classification(), sib)
    for options in ({"epochs": 0}, {"max_length": 2}, {"pooling": "cls"}):
        with pytest.raises(LexigraftError, match=r"cannot take th"):
            make("evaluator", "sib200", options)


def test_test_texts_are_kept_out_of_training_text(sib: dict[str, list[str]]) -> None:
    data: Any = read_data(make("evaluator", "sib200"), sib)
    assert set(data.unseen) == {text for item in data.test for text in item.texts}
    assert data.labels == ("food", "land", "people")
