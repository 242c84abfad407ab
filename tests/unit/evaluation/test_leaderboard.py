"""Leaderboards by hand, and records that are checked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.benchmark.leaderboard import Block, leaderboard
from lexigraft.core.evaluation.benchmark.record import (
    BenchmarkRecord,
    ComparisonRecord,
    MetricRecord,
    read_record,
    write_record,
)
from lexigraft.report.benchmark.leaderboard import write_benchmark_report

BITS, TOPICS = "bits_per_byte/heldout", "accuracy/topics"


def comparison(bits: dict[str, float], topics: dict[str, float], bounds: tuple[str, ...] = ()) -> ComparisonRecord:
    def by_seed(values: dict[str, float]) -> dict[str, dict[str, float]]:
        return {label: {"0": value - 0.1, "1": value + 0.1} for label, value in values.items()}

    metrics = {BITS: MetricRecord(True, by_seed(bits)), TOPICS: MetricRecord(False, by_seed(topics))}
    return ComparisonRecord({"train": "t"}, "random", metrics, dict.fromkeys(bits, 10.0), bounds)


def record() -> BenchmarkRecord:
    quechua = comparison(
        {"random": 3.0, "focus": 2.0, "keep": 4.0, "oracle": 1.0},
        {"random": 0.3, "focus": 0.5, "keep": 0.4, "oracle": 1.0},
        ("oracle",),
    )
    guarani = comparison({"random": 3.0, "focus": 2.5, "keep": 2.0}, {"random": 0.2, "focus": 0.6, "keep": 0.6})
    return BenchmarkRecord("small", {"quechua": quechua, "guarani": guarani}, {"torch": "2"})


def test_ranks_by_hand() -> None:
    """Blocks: quechua bits (f r k), topics (f k r), guarani bits (k f r), topics (f and k level at 1.5, r).

    focus (1 + 1 + 2 + 1.5) / 4, keep (3 + 2 + 1 + 1.5) / 4, random (2 + 3 + 3 + 3) / 4.
    Recovered: focus (3 - 2) / (3 - 2) = 1 and (3 - 2.5) / (3 - 2) = 0.5; keep (3 - 4) / 1 = -1 and 1.
    """
    board = leaderboard(record())
    assert [entry.label for entry in board.entries] == ["focus", "keep", "random"]
    ranks = {entry.label: entry.rank.mean for entry in board.entries if entry.rank}
    assert ranks == {"focus": 5.5 / 4, "keep": 7.5 / 4, "random": 11 / 4}
    recovered = {entry.label: entry.recovered for entry in board.entries}
    assert recovered == pytest.approx({"focus": 0.75, "keep": 0.0, "random": 0.0})
    strengths = [entry.strength.mean for entry in board.entries if entry.strength]
    assert strengths == sorted(strengths, reverse=True)
    focus = board.entries[0]
    assert focus.rank is not None
    assert focus.rank.low <= focus.rank.mean <= focus.rank.high
    assert focus.figures[Block("guarani", TOPICS, False)] == pytest.approx(0.6)
    assert focus.seconds == 10.0


def test_what_is_not_everywhere_has_no_rank_and_stands_last() -> None:
    small = record()
    more = {"quechua": comparison({"mine": 1.5}, {"mine": 0.9})}
    merged = small.merged(BenchmarkRecord("small", more))
    board = leaderboard(merged)
    assert board.entries[-1].label == "mine"
    assert board.entries[-1].rank is None
    assert board.entries[0].rank == leaderboard(small).entries[0].rank, "the others rank as before"


def test_one_more_strategy_joins_a_record() -> None:
    mine = comparison({"mine": 1.5}, {"mine": 0.9})
    board = leaderboard(record().merged(BenchmarkRecord("small", {"quechua": mine, "guarani": mine})))
    assert [entry.label for entry in board.entries] == ["mine", "focus", "keep", "random"]
    assert board.entries[0].rank is not None
    assert board.entries[0].rank.mean == 1.0


def test_other_inputs_do_not_join() -> None:
    mine = comparison({"mine": 1.5}, {"mine": 0.9})
    other = ComparisonRecord({"train": "another"}, mine.reference, mine.metrics, mine.seconds)
    with pytest.raises(LexigraftError, match=r"'quechua' was recorded on other inputs.*train"):
        record().merged(BenchmarkRecord("small", {"quechua": other}))
    with pytest.raises(LexigraftError, match="the record lacks a comparison"):
        record().merged(BenchmarkRecord("small", {"aymara": mine}))


def test_a_record_reads_back_and_a_changed_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write_record(record(), path)
    assert read_record(path) == record()
    values = json.loads(path.read_text())
    values["comparisons"]["quechua"]["metrics"][BITS]["figures"]["focus"]["0"] = 1.0
    path.write_text(json.dumps(values))
    with pytest.raises(LexigraftError, match="changed after it was written"):
        read_record(path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"sha256": "x", "format": 1}', '{"sha256": "x", "format": 9}', "\0"])
def test_damaged_records_are_one_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "record.json"
    path.write_text(text)
    with pytest.raises(LexigraftError, match=r"record is damaged|another format"):
        read_record(path)
    with pytest.raises(LexigraftError, match="record not found"):
        read_record(tmp_path / "none.json")


def test_the_files_of_a_leaderboard(tmp_path: Path) -> None:
    paths = write_benchmark_report(leaderboard(record()), record(), tmp_path)
    latex = paths.latex.read_text()
    assert latex.startswith("\\begin{tabular}{lrrrr}")
    assert "75\\%" in latex
    assert "| focus | 1.38 [" in paths.markdown.read_text()
    assert "quechua,bits_per_byte/heldout,focus,0,1.9" in paths.csv.read_text()
    page = paths.html.read_text()
    assert page.index("<strong>focus</strong>") < page.index("<strong>keep</strong>")
    assert "oracle" not in page[: page.index("Languages and strategies")], "a bound is no contender"
