"""Multiple-choice questions read from every published format, and what is refused."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from lexigraft.core.data.choice_questions import CONNECTORS, ChoiceFormat, ChoiceQuestion, read_questions
from lexigraft.core.data.records import read_records
from lexigraft.core.errors import LexigraftError

XCOPA = {
    "premise": "Sipasqa cereal mikhunanpi kuruta tarirqan.",
    "choice1": "Payqa pukunman ñuqñuta churakurqan.",
    "choice2": "Payqa manam mikhuyta munarqanchu.",
    "question": "effect",
    "label": 1,
    "idx": 1,
    "changed": False,
}
XCSQA = {
    "id": "1",
    "lang": "en",
    "question": {
        "stem": "What grows?",
        "choices": [{"label": "A", "text": "stones"}, {"label": "B", "text": "maize"}],
    },
    "answerKey": "B",
}
CODAH = {
    "question_tag": "o",
    "question": {"stem": " ", "choices": {"label": ["A", "B"], "text": ["She sleeps.", "She stone."]}},
    "answerKey": "A",
}


def written(folder: Path, *records: Any, name: str = "test.jsonl") -> list[str]:
    path = folder / name
    text = "".join(json.dumps(record) + "\n" for record in records)
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return [str(path)]


def test_xcopa_joins_premise_and_choice_by_because_or_so(tmp_path: Path) -> None:
    paths = written(tmp_path, XCOPA, {**XCOPA, "question": "cause", "label": 0}, name="test.qu.jsonl.gz")
    effect, cause = read_questions(paths, "xcopa", CONNECTORS["qu"])
    assert effect == ChoiceQuestion(
        "Sipasqa cereal mikhunanpi kuruta tarirqan chayrayku",
        ("payqa pukunman ñuqñuta churakurqan.", "payqa manam mikhuyta munarqanchu."),
        1,
    )
    assert (cause.context, cause.label) == ("Sipasqa cereal mikhunanpi kuruta tarirqan imaraykuchus", 0)


def test_x_csr_is_read_as_published_and_as_the_datasets_package_writes_it(tmp_path: Path) -> None:
    assert read_questions(written(tmp_path, XCSQA), "xcsqa") == [
        ChoiceQuestion("Question: What grows?\nAnswer:", ("stones", "maize"), 1)
    ]
    assert read_questions(written(tmp_path, CODAH), "x_codah") == [ChoiceQuestion("", ("She sleeps.", "She stone."), 0)]


def test_plain_questions_and_minimal_pairs_are_read(tmp_path: Path) -> None:
    plain = {"context": "Two and two are", "choices": ["four", " five "], "label": "1"}
    assert read_questions(written(tmp_path, plain), "jsonl") == [ChoiceQuestion("Two and two are", ("four", "five"), 1)]
    blimp = {"sentence_good": "They sleep.", "sentence_bad": "They sleeps."}
    wanted = [ChoiceQuestion("", ("They sleep.", "They sleeps."), 0)]
    assert read_questions(written(tmp_path, blimp), "minimal_pairs") == wanted
    table = tmp_path / "pairs.tsv"
    table.write_text('lang\tsen\twrong_sen\neng\tThey sleep.\tThey sleeps.\neng\t"a ""b"""\tc\n')
    pairs = read_questions([str(table)], "minimal_pairs")
    assert pairs == [*wanted, ChoiceQuestion("", ('a "b"', "c"), 0)]


PLAIN = {"context": "a", "choices": ["b", "c"], "label": 0}


@pytest.mark.parametrize(
    ("form", "record", "message"),
    [
        ("jsonl", {**PLAIN, "label": 2}, "label is none of the choices"),
        ("jsonl", {**PLAIN, "label": -1}, "often hidden"),
        ("jsonl", {**PLAIN, "label": True}, "label is no index"),
        ("jsonl", {**PLAIN, "label": "b"}, "label is no index"),
        ("jsonl", {**PLAIN, "choices": "bc"}, "choices are no list"),
        ("jsonl", {**PLAIN, "choices": ["b"]}, "fewer than two choices"),
        ("jsonl", {**PLAIN, "choices": ["b", " "]}, "a choice is empty"),
        ("jsonl", {**PLAIN, "choices": ["b", 3]}, "is not text"),
        ("jsonl", {"context": "a", "label": 0}, "no field 'choices'"),
        ("jsonl", ["a"], "no JSON object"),
        ("xcopa", {**XCOPA, "question": "why"}, "cause or an effect"),
        ("xcsqa", {**XCSQA, "answerKey": ""}, "use the validation file"),
        ("xcsqa", {**XCSQA, "question": "What grows?"}, "question has no choices"),
        ("xcsqa", {**XCSQA, "question": {"stem": "x", "choices": ["stones"]}}, "no object with label and text"),
        ("minimal_pairs", {"sen": "a"}, "no field 'wrong_sen'"),
    ],
)
def test_bad_records_are_named_by_file_and_line(tmp_path: Path, form: ChoiceFormat, record: Any, message: str) -> None:
    good = {"jsonl": PLAIN, "xcopa": XCOPA, "xcsqa": XCSQA, "minimal_pairs": {"sen": "a", "wrong_sen": "b"}}[form]
    with pytest.raises(LexigraftError, match=message) as caught:
        read_questions(written(tmp_path, good, record), form, CONNECTORS["qu"])
    assert "test.jsonl, line 2" in str(caught.value)


def test_files_without_questions_and_xcopa_without_a_language_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LexigraftError, match="no question"):
        read_questions(written(tmp_path), "jsonl")
    with pytest.raises(LexigraftError, match="Set language to one of en, it, qu, sw"):
        read_questions(written(tmp_path, XCOPA), "xcopa")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.jsonl", "{", "line is not JSON"),
        ("a.tsv", "sen\twrong_sen\none\n", "line 2 has 1 cells"),
        ("a.csv", 'sen,wrong_sen\n"one,b\n', "table cannot be read"),
        ("a.tsv", "sen\tother\na\tb\n", "no field 'wrong_sen'"),
    ],
)
def test_files_that_hold_no_records_are_refused(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(LexigraftError, match=message):
        list(read_records([tmp_path / name], ("sen", "wrong_sen")))
