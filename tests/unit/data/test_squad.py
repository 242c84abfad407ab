"""SQuAD: its JSON is read and checked, exact match and F1 are worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lexigraft.core.data.squad import Answer, exact_match, normalized, read_squad, word_f1
from lexigraft.core.errors import LexigraftError


def written(path: Path, answers: list[dict[str, Any]]) -> Path:
    asked = {"id": "q1", "question": "Where?", "answers": answers}
    content = {"data": [{"paragraphs": [{"context": "She lives in Cusco.", "qas": [asked]}]}]}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_questions_are_read_with_all_their_answers(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.json", [{"text": "Cusco", "answer_start": 13}, {"text": "in Cusco", "answer_start": 10}]
    )
    [question] = read_squad([path])
    assert question.context == "She lives in Cusco."
    assert question.answers == (Answer("Cusco", 13), Answer("in Cusco", 10))


def test_an_answer_that_stands_elsewhere_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.json", [{"text": "Cusco", "answer_start": 12}])
    with pytest.raises(LexigraftError, match=r"answer is not in its context.*question q1"):
        read_squad([path])


def test_impossible_questions_are_left_out(tmp_path: Path) -> None:
    with pytest.raises(LexigraftError, match="no question with an answer"):
        read_squad([written(tmp_path / "a.json", [])])


def test_half_of_a_surrogate_pair_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.json", [{"text": "Cusco", "answer_start": 13}])
    path.write_text(path.read_text(encoding="utf-8").replace("Where?", "Where\\ud800?"), encoding="utf-8")
    with pytest.raises(LexigraftError, match="half of a surrogate pair"):
        read_squad([path])


@pytest.mark.parametrize(("content", "message"), [
    ("{", "file is not JSON"), ("[]", "not in the format of SQuAD"), ('{"data": [1]}', "not in the format of SQuAD"),
])  # fmt: skip
def test_other_json_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "a.json").write_text(content, encoding="utf-8")
    with pytest.raises(LexigraftError, match=message):
        read_squad([tmp_path / "a.json"])


def test_scores_by_hand() -> None:
    assert normalized("The  Banana-split, a Theory!") == "bananasplit theory"
    assert exact_match("the Cusco.", ["Lima", "cusco"]) == 1
    assert exact_match("Cusco city", ["Cusco"]) == 0
    # Two of three predicted words are among the four of the reference: P = 2/3, R = 2/4, F1 = 2PR/(P+R) = 4/7.
    assert word_f1("old city Cusco", ["Cusco city of Peru", "Lima"]) == pytest.approx(4 / 7)
    # A repeated word counts as often as the reference has it: P = 1/2, R = 1, F1 = 2/3.
    assert word_f1("Cusco Cusco", ["Cusco"]) == pytest.approx(2 / 3)
    # Nothing is left of "the": equal where nothing is left of the reference either, else no overlap.
    assert (word_f1("the", ["a"]), word_f1("the", ["Lima"])) == (1, 0)
