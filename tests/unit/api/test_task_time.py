"""Time of a task: parts of any data, chosen evenly and alike, and an estimate in proportion to what was tried."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest

from lexigraft.api.doctor.task_cost import FEWEST, part_of, task_seconds
from lexigraft.api.tasks import Task, times_measured
from lexigraft.core.config.adaptation import AdaptSettings
from lexigraft.core.evaluation.evaluator import EvaluationContext, EvaluationData, Evaluator
from lexigraft.core.evaluation.scores import ItemScores, Scores


@dataclass(frozen=True, kw_only=True)
class Pairs(EvaluationData):
    """Two parallel columns, training items, and what is no sequence."""

    left: tuple[int, ...]
    right: list[int]
    train: tuple[int, ...] = ()
    weight: float = 1.0


def pairs(count: int, train: int = 0) -> Pairs:
    left = tuple(range(count))
    return Pairs(
        hash="0", size=count, unseen=("a",), left=left, right=[-one for one in left], train=tuple(range(train))
    )


def test_a_part_is_chosen_evenly_and_alike_in_every_sequence_of_a_length() -> None:
    part = part_of(pairs(10, train=3), 4)
    # Places 0, 10/4, 20/4, 30/4, rounded down.
    assert part == Pairs(
        hash="0", size=4, unseen=("a",), left=(0, 2, 5, 7), right=[0, -2, -5, -7], train=(0, 1, 2), weight=1.0
    )
    assert part_of(pairs(4), 4) == pairs(4)


@dataclass(frozen=True)
class Slow(Evaluator):
    """One hundredth of a second an item, by a clock of its own."""

    name: ClassVar[str] = "slow"
    files: ClassVar = {}
    least: int = 0
    seen: list[int] = field(default_factory=list)

    def evaluate(self, model: Any, vocabulary: Any, data: Any, context: EvaluationContext) -> Scores:
        self.seen.append(data.size)
        if data.size < self.least:
            raise ValueError("a class is missing")
        Clock.now += data.size / 100
        return Scores.of({"right": ItemScores.of(data.left)})


class Clock:
    """A clock that only the work moves."""

    now = 0.0


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "perf_counter", lambda: Clock.now)


def seconds(task: Task, enough: float) -> float:
    return task_seconds(task, None, None, EvaluationContext(), enough)  # type: ignore[arg-type]


def test_the_part_is_doubled_until_it_takes_long_enough() -> None:
    slow = Slow()
    assert seconds(Task("slow", slow, pairs(1000)), enough=0.5) == pytest.approx(10.0)
    assert slow.seen == [FEWEST, 32, 64]  # 0.16 s, 0.32 s, 0.64 s; 64 of 1,000 items
    slow = Slow()
    assert seconds(Task("slow", slow, pairs(20)), enough=5) == pytest.approx(0.2)
    assert slow.seen == [FEWEST, 20]
    slow = Slow()
    assert seconds(Task("slow", slow, pairs(10)), enough=5) == pytest.approx(0.1)
    assert slow.seen == [10, 10], "the first one only warms up"


def test_a_part_that_cannot_be_measured_is_doubled_and_the_whole_must_be_measurable() -> None:
    slow = Slow(least=100)
    assert seconds(Task("slow", slow, pairs(300)), enough=0.5) == pytest.approx(3.0)
    assert slow.seen == [16, 32, 64, 128]
    with pytest.raises(ValueError, match="a class is missing"):
        seconds(Task("slow", Slow(least=100), pairs(40)), enough=0.5)


@pytest.mark.parametrize(
    ("at", "steps", "probe", "times"),
    [
        (["end"], 10, 5, 1),
        (["start", "probe", "end"], 10, 5, 3),
        (["start", "probe"], 10, 0, 1),
        (["probe", "end"], 10, 10, 1),
        (["start", "end"], 0, 0, 1),
        (["probe"], 0, 5, 0),
    ],
)
def test_how_often_a_task_is_measured(at: list[str], steps: int, probe: int, times: int) -> None:
    task = Task("slow", Slow(), pairs(1), frozenset(at))
    assert times_measured(task, AdaptSettings(steps=steps, probe_step=probe)) == times
