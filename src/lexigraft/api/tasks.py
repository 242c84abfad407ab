"""Downstream tasks of a recipe, read and checked before any weights load."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexigraft.core.config.adaptation import AdaptSettings
from lexigraft.core.config.evaluation import TaskSettings
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.evaluator import EvaluationData, Evaluator, read_data, refuse_other_kind
from lexigraft.core.models.architecture import model_kind
from lexigraft.core.models.tables import Role, tables_of
from lexigraft.core.registry import find, make

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig, PreTrainedModel


@dataclass(frozen=True)
class Task:
    """A task that is ready to be measured.

    Attributes:
        name: Its name in scores.
        evaluator: The configured evaluator.
        data: What it has read.
        at: When it is measured: ``start``, ``probe``, ``end``.
    """

    name: str
    evaluator: Evaluator
    data: EvaluationData
    at: frozenset[str] = frozenset(("end",))

    def described(self) -> dict[str, Any]:
        """What its scores depend on besides the model."""
        evaluator = {"name": self.evaluator.name, **self.evaluator.parameters()}
        return {"evaluator": evaluator, "data": self.data.hash, "at": sorted(self.at)}


def make_evaluator(name: str, settings: TaskSettings) -> Evaluator:
    """The configured evaluator of a task.

    Raises:
        UnknownName: No evaluator has this name.
        LexigraftError: Options that it cannot take.
    """
    made: Evaluator = make("evaluator", settings.evaluator or name, settings.options)
    return made


def task_files(name: str, pairs: Sequence[str]) -> dict[str, list[str]]:
    """Files of a task as a command line gives them: ``NAME=FILE``, or a file alone for what is tested on.

    Args:
        name: The evaluator.
        pairs: The files.

    Raises:
        UnknownName: No evaluator has this name.
        LexigraftError: A file alone, where the evaluator reads several and none is called ``test``.
    """
    reads = find("evaluator", name).files
    found: dict[str, list[str]] = {}
    for pair in pairs:
        key, equals, path = pair.partition("=")
        if not equals or (key not in reads and Path(pair).exists()):
            key, path = ("test" if "test" in reads else next(iter(reads), "") if len(reads) == 1 else ""), pair
        if not key:
            raise LexigraftError("say what this file holds", pair, f"Write NAME=FILE with one of {', '.join(reads)}")
        found.setdefault(key, []).append(path)
    return found


def read_tasks(settings: Mapping[str, TaskSettings]) -> tuple[Task, ...]:
    """Read the data of every task.

    Args:
        settings: The tasks by name.

    Raises:
        LexigraftError: An unknown evaluator or option, a missing file, or data that cannot be used.
    """
    return tuple(_read(name, task) for name, task in settings.items())


def _read(name: str, settings: TaskSettings) -> Task:
    evaluator = make_evaluator(name, settings)
    try:
        data = read_data(evaluator, settings.files)
    except LexigraftError as error:
        raise LexigraftError(f"task {name}: {error.what}", error.value, error.hint) from None
    return Task(name, evaluator, data, frozenset(settings.at))


def refuse_unsuitable_tasks(tasks: Collection[Task], config: PreTrainedConfig) -> None:
    """Refuse tasks that cannot measure a model of this kind.

    Raises:
        LexigraftError: Which evaluator measures which kinds.
    """
    for task in tasks:
        refuse_other_kind(task.evaluator, model_kind(config))


def due(tasks: Collection[Task], step: int, settings: AdaptSettings) -> Iterator[Task]:
    """The tasks that are measured at a step.

    Args:
        tasks: All of them.
        step: Steps of adaptation done.
        settings: Those of the adaptation; without a step of it the start is the end.
    """
    reached = {"start": 0, "probe": settings.probe_step, "end": settings.steps}
    return (task for task in tasks if any(reached[when] == step for when in task.at))


def times_measured(task: Task, settings: AdaptSettings) -> int:
    """How often a task is measured in a cell.

    Args:
        task: The task.
        settings: Those of the adaptation.
    """
    steps = {0, settings.probe_step, settings.steps} if settings.steps else {0}
    return sum(bool(list(due([task], step, settings))) for step in steps)


def start_rows(tasks: Collection[Task], model: PreTrainedModel) -> tuple[torch.Tensor, ...]:
    """Copies of the input and output rows before training, where a task compares with them.

    Args:
        tasks: The tasks.
        model: The model before training.

    Returns:
        Each ``(rows, dim)``; one table where they are tied, none where no task asks.
    """
    tables = tables_of(model).by_role
    compared = any(task.evaluator.compares_rows for task in tasks)
    roles = [role for role in (Role.INPUT, Role.OUTPUT) if compared and role in tables]
    return tuple(tables[role].detach().clone() for role in roles)
