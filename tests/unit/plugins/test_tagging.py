"""Tagging: what words decide is learned, chance is reached where nothing can be, and each bad input is one error."""

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
from lexigraft.plugins.evaluators.tagging import Tagging
from lexigraft.testing.sample_text import SOURCE_TEXT
from lexigraft.testing.tiny_models import fixture

Row = tuple[str, str]
WORDS = sorted({word for word in SOURCE_TEXT.split() if word.isalpha() and word.islower()})[::12]
NAMES = ["Luna", "Peru", "Titicaca"]


def write(path: Path, sentences: Sequence[Sequence[Row]]) -> str:
    path.write_text("\n".join("".join(f"{w}\t{t}\n" for w, t in s) for s in sentences), encoding="utf-8")
    return str(path)


def sentences(count: int, seed: int, tag: Any) -> list[list[Row]]:
    draw = np.random.default_rng(seed)
    made = [[str(w) for w in draw.choice(WORDS, draw.integers(3, 9))] for _ in range(count)]
    return [[(word, tag(word)) for word in words] for words in made]


def by_letter(word: str) -> str:
    return "EARLY" if word < WORDS[len(WORDS) // 2] else "LATE"


def measure(evaluator: Tagging, files: dict[str, list[str]], name: str = "bert-tied-bias", seed: int = 0) -> Scores:
    model, tokenizer, _ = fixture(name)
    data = read_data(evaluator, files)
    return evaluator.evaluate(model, Vocabulary.of(tokenizer), data, EvaluationContext(seed))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def pos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    folder = tmp_path_factory.mktemp("pos")
    sizes = {"train": 80, "dev": 10, "test": 20}
    return {
        name: [write(folder / f"{name}.tsv", sentences(size, seed, by_letter))]
        for seed, (name, size) in enumerate(sizes.items())
    }


@pytest.mark.parametrize("name", ["bert-tied-bias", "gpt2-tied", "t5-tied"])
def test_tags_that_the_word_decides_are_learned(pos: dict[str, list[str]], name: str) -> None:
    scores = measure(Tagging(how="probe", piece="last"), pos, name)
    assert scores.main == "accuracy"
    assert scores.figures["accuracy"] > max(0.85, scores.figures["chance"] + 0.1)
    assert len(scores.items["accuracy"].numerators) == 20
    assert scores.figures["unknown_words"] == 0
    assert scores.figures["tokens_trained"] > 80 * 3


def test_tags_that_nothing_decides_stay_at_chance(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    sides = {n: sentences(120, s, lambda _: str(draw.choice(["A", "B"]))) for s, n in enumerate(("train", "test"))}
    files = {name: [write(tmp_path / f"{name}.tsv", side)] for name, side in sides.items()}
    # 120 sentences of 5.5 words: the deviation of an accuracy of one half is 0.5 / sqrt(660) = 0.02.
    assert measure(Tagging(how="probe"), files).figures["accuracy"] == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize("how", ["probe", "lora", "full"])
def test_the_same_seed_gives_the_same_scores(pos: dict[str, list[str]], how: Any) -> None:
    evaluator = Tagging(how=how, epochs=1)
    one, two = (measure(evaluator, pos, seed=3) for _ in range(2))
    assert one.figures == two.figures
    assert np.array_equal(one.items["accuracy"].numerators, two.items["accuracy"].numerators)


def test_entities_are_learned_and_broken_labels_repaired(tmp_path: Path) -> None:
    def with_name(row: list[Row], n: int) -> list[Row]:
        return [*row[:2], (NAMES[n % 3], "I-LOC" if n % 10 == 0 else "B-LOC"), ("lake", "I-LOC"), *row[2:]]

    made = [with_name(s, n) for n, s in enumerate(sentences(120, 0, lambda _: "O"))]
    path = write(tmp_path / "ner.tsv", made)
    evaluator = make("evaluator", "ner", {"how": "probe"})
    data = read_data(evaluator, {"data": [path]})
    assert "12 broken BIO labels repaired (data): I- that continued nothing became B-" in data.notes
    assert data.size + len(data.train) == 120  # type: ignore[attr-defined]
    assert not {s.words for s in data.train} & {s.words for s in data.test}  # type: ignore[attr-defined]
    scores = measure(evaluator, {"data": [path]})
    assert scores.main == "f1"
    assert scores.figures["f1"] > 0.5
    with pytest.raises(LexigraftError, match=r"broken BIO labels \(data\): 12"):
        read_data(Tagging(labels="bio", broken="refuse"), {"data": [path]})


def test_a_split_that_leaks_is_refused_with_its_count_or_mended(tmp_path: Path) -> None:
    train, test = sentences(30, 0, by_letter), sentences(10, 1, by_letter)
    files = {"train": [write(tmp_path / "a", train + test[:4])], "test": [write(tmp_path / "b", test)]}
    with pytest.raises(LexigraftError, match=r"test items are also training items: 4 of 10\. .*on_leak=drop"):
        read_data(Tagging(), files)
    data = read_data(Tagging(on_leak="drop"), files)
    assert len(data.train) == 30  # type: ignore[attr-defined]
    assert data.notes == ("4 training items dropped, because they are also test items",)


def test_labels_that_only_test_sentences_have_are_refused_or_counted(tmp_path: Path) -> None:
    test = [[("wasi", "X"), ("qam", "EARLY")], [("ñan", "X")]]
    train = sentences(30, 0, by_letter)
    files = {"train": [write(tmp_path / "a", train)], "test": [write(tmp_path / "b", test)]}
    with pytest.raises(LexigraftError, match="labels occur in the test sentences only: X"):
        read_data(Tagging(), files)
    counted = Tagging(unseen_labels="count", how="probe")
    assert read_data(counted, files).notes == ("2 test words have labels that no training word has: X",)
    assert measure(counted, files).items["accuracy"].numerators.tolist()[1] == 0


def test_words_that_cannot_be_expressed_are_counted_and_wrong(tmp_path: Path) -> None:
    test = [[("\u200d", "EARLY"), ("ꙮ", "EARLY")], [("a", "EARLY"), ("b", "EARLY")]]
    files = {
        "train": [write(tmp_path / "a", sentences(30, 0, by_letter))],
        "test": [write(tmp_path / "b", test)],
    }
    scores = measure(Tagging(how="probe"), files)
    assert scores.figures["unknown_words"] == 0.5
    assert scores.items["accuracy"].numerators[0] < 2


@pytest.mark.parametrize(
    ("options", "files", "message"),
    [
        ({}, {"train": "pos"}, "these files do not go together: train"),
        ({}, {"train": "pos", "data": "pos"}, "these files do not go together: data, train"),
        ({}, {}, "these files do not go together: none"),
        ({"labels": "bio"}, {"data": "pos"}, "labels are not BIO: EARLY, LATE"),
        ({"labels": "bio"}, {"train": "outside", "test": "outside2"}, "the test sentences hold no entity"),
        ({}, {"train": "outside", "test": "outside2"}, "the training sentences have one label only: O"),
        ({}, {"data": "one"}, "too few items to split them"),
    ],
)
def test_bad_data_is_refused_without_a_model(
    tmp_path: Path, options: dict[str, Any], files: dict[str, str], message: str
) -> None:
    write(tmp_path / "pos", sentences(10, 0, by_letter))
    write(tmp_path / "outside", [[("wasi", "O")]])
    write(tmp_path / "outside2", [[("ñan", "O")]])
    write(tmp_path / "one", [[("wasi", "A"), ("ñan", "B")]])
    with pytest.raises(LexigraftError, match=message):
        read_data(Tagging(**options), {name: [str(tmp_path / file)] for name, file in files.items()})


def test_options_that_train_nothing_are_refused() -> None:
    for options in ({"epochs": 0}, {"test_share": 1.0}, {"max_length": 2}, {"how": "prompt"}):
        with pytest.raises(LexigraftError, match=r"cannot take th"):
            make("evaluator", "pos", options)


def test_the_table_of_most_frequent_tags_by_hand(tmp_path: Path) -> None:
    # "ri" is X twice and Y once, "na" is Y; X is the most frequent tag of all, so an unknown word is X.
    train = [[("ri", "X"), ("na", "Y")], [("ri", "X"), ("ri", "Y"), ("wa", "X")]]
    test = [[("ri", "X"), ("na", "X"), ("pe", "X")], [("ri", "Y"), ("na", "Y"), ("pe", "Y")]]
    files = {n: [write(tmp_path / f"{n}.tsv", side)] for n, side in (("train", train), ("test", test))}
    # Right are ri and pe of the first sentence, na of the second: 3 of 6.
    assert measure(Tagging(how="probe"), files).figures["accuracy_most_frequent_tag"] == 0.5
    names = [[("in", "O"), ("Peru", "B-LOC"), ("and", "O")], [("to", "O"), ("Luna", "B-PER"), ("Puno", "B-LOC")]]
    asked = [[("in", "O"), ("Peru", "B-LOC"), ("Cusco", "B-LOC")]]
    files = {n: [write(tmp_path / f"ner-{n}.tsv", side)] for n, side in (("train", names), ("test", asked))}
    # Peru is found, Cusco is unknown and O: F1 = 2 / (2 + 0 + 1).
    figures = measure(Tagging(how="probe", labels="bio"), files).figures
    assert figures["f1_most_frequent_tag"] == pytest.approx(2 / 3)
