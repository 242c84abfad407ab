"""Settings of evaluation and of downstream tasks in a recipe."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from lexigraft.core.config.base import Count, Paths, Settings


class TaskSettings(Settings):
    """A downstream task, which is an evaluator with its files and options.

    `evaluator` is the task's own name where not given. `files` names what the evaluator reads, such as `train` and
    `test`. `at` says when the task is measured: before adaptation (`start`), at the probe, at the end.
    """

    evaluator: str | None = None
    files: dict[str, Paths] = {}
    options: dict[str, Any] = {}
    at: Annotated[list[Literal["start", "probe", "end"]], Field(min_length=1)] = ["end"]


class EvaluationSettings(Settings):
    """Which evaluators run on the held-out texts, how much text each sees, and the downstream tasks by name."""

    evaluators: list[str] = ["bits_per_byte"]
    options: dict[str, dict[str, Any]] = {}
    max_lines: Count = Field(200, ge=1)
    tasks: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")], TaskSettings] = {}
