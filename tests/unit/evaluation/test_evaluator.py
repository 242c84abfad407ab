"""The contract of evaluators: which files are read, and the tiny data that the laws measure on."""

from __future__ import annotations

from pathlib import Path

from lexigraft.core.evaluation.evaluator import Evaluator, TextData, TextEvaluator, read_data


class Lengths(TextEvaluator):
    name = "lengths"


def test_an_evaluator_of_text_has_a_sample_that_it_reads(tmp_path: Path) -> None:
    sample = Lengths().sample(tmp_path)
    assert sample is not None
    assert not sample.options
    data = read_data(Lengths(), sample.files)
    assert isinstance(data, TextData)
    assert data.size == len(data.lines) == 4
    assert data.unseen == tuple(data.lines)


def test_an_evaluator_has_no_sample_unless_its_author_writes_one(tmp_path: Path) -> None:
    assert Evaluator().sample(tmp_path) is None
    assert not list(tmp_path.iterdir())
