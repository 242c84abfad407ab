"""Time of a task, estimated from a part of its data that takes long enough."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any

from lexigraft.api.tasks import Task
from lexigraft.core.evaluation.evaluator import EvaluationContext, EvaluationData

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from lexigraft.core.tokenization.vocabulary import Vocabulary

FEWEST = 16
"""Items of the first part; the part is doubled until it takes long enough."""


def task_seconds(
    task: Task, model: PreTrainedModel, vocabulary: Vocabulary, context: EvaluationContext, enough: float
) -> float:
    """Seconds of measuring a task once, in proportion to the items that were tried.

    Args:
        task: The task.
        model: The model.
        vocabulary: Its vocabulary.
        context: The seed, and what is known about the model's training.
        enough: Seconds after which no larger part is tried.

    Raises:
        LexigraftError: The task cannot be measured.
    """
    count, warm = FEWEST, False
    while True:
        part = part_of(task.data, count)
        share = _length(part) / _length(task.data)
        started = time.perf_counter()
        try:
            task.evaluator.evaluate(model, vocabulary, part, context)
            seconds = time.perf_counter() - started
        except Exception:  # a part may lack what the whole has, such as a class; it may fail in any way
            if share == 1:
                raise
            seconds = 0.0
        if seconds >= enough or (share == 1 and warm):
            return seconds / share
        count, warm = 2 * count, True  # the first run in a process takes longer


def part_of(data: EvaluationData, most: int) -> EvaluationData:
    """Data of which every sequence has at most ``most`` elements, evenly chosen, the same ones in each of a length."""
    shorter: dict[str, Any] = {
        name: type(value)(value[n * len(value) // most] for n in range(most))
        for name, value in _sequences(data).items()
        if len(value) > most
    }
    return dataclasses.replace(data, size=min(data.size, most), **shorter) if shorter else data


def _sequences(data: EvaluationData) -> dict[str, list[Any] | tuple[Any, ...]]:
    own = {field.name for field in dataclasses.fields(data)} - {f.name for f in dataclasses.fields(EvaluationData)}
    return {name: value for name in sorted(own) if isinstance(value := getattr(data, name), list | tuple)}


def _length(data: EvaluationData) -> int:
    return max(1, sum(map(len, _sequences(data).values())))
