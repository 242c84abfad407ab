"""Question answering: spans that the question decides are learned, and each bad input is one error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.evaluator import EvaluationContext, read_data
from lexigraft.core.registry import make
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.plugins.evaluators.question_answering import QuestionAnswering
from lexigraft.testing.tiny_models import fixture

FILLING = ["the", "a", "is", "for", "very", "day"]


def write(path: Path, count: int, seed: int, padding: int = 0) -> list[str]:
    """Contexts with one of three answers at any place."""
    draw, entries = np.random.default_rng(seed), []
    for n in range(count):
        words = [str(w) for w in draw.choice(FILLING, 6 + padding)]
        answer = ["bread", "market", "table"][n % 3]
        at = int(draw.integers(0, len(words)))
        text = " ".join([*words[:at], answer, *words[at:], str(n), str(seed)])
        asked = {
            "id": f"{seed}-{n}",
            "question": "what",
            "answers": [{"text": answer, "answer_start": text.index(answer)}],
        }
        entries.append({"context": text, "qas": [asked]})
    path.write_text(json.dumps({"data": [{"paragraphs": entries}]}), encoding="utf-8")
    return [str(path)]


@pytest.mark.parametrize(("how", "padding"), [("full", 0), ("lora", 0), ("full", 60)])
def test_answers_are_found(tmp_path: Path, how: Any, padding: int) -> None:
    model, tokenizer, _ = fixture("bert-tied-bias")
    files = {"train": write(tmp_path / "a", 60, 0), "test": write(tmp_path / "b", 20, 1, padding)}
    evaluator = QuestionAnswering(how=how, epochs=5, learning_rate=0.02, max_length=32, stride=8)
    data: Any = read_data(evaluator, files)
    scores = evaluator.evaluate(model, Vocabulary.of(tokenizer), data, EvaluationContext(0))
    assert scores.main == "f1"
    assert scores.figures["exact_match"] > 0.7
    assert scores.figures["f1"] >= scores.figures["exact_match"]
    assert len(scores.items["f1"].numerators) == data.size == 20


def test_questions_that_are_trained_on_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a", 5, 0)
    with pytest.raises(LexigraftError, match="test items are also training items: 5 of 5"):
        read_data(QuestionAnswering(), {"train": path, "test": path})


def test_contexts_and_questions_are_kept_out_of_training_text(tmp_path: Path) -> None:
    files = {"train": write(tmp_path / "a", 5, 0), "test": write(tmp_path / "b", 2, 1)}
    data: Any = read_data(QuestionAnswering(), files)
    assert set(data.unseen) == {q.context for q in data.test} | {"what"}


def test_missing_files_and_options_that_train_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LexigraftError, match="needs more files: train"):
        read_data(QuestionAnswering(), {"test": write(tmp_path / "a", 5, 0)})
    for options in ({"how": "probe"}, {"stride": 400}, {"max_length": 4}, {"longest_answer": 0}):
        with pytest.raises(LexigraftError, match="cannot take th"):
            make("evaluator", "question_answering", options)
