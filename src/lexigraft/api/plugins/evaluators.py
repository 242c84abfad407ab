"""Entries of evaluators in the catalog."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from lexigraft.api.plugins.catalog import grouped
from lexigraft.api.plugins.records import ReaderRecord
from lexigraft.core.evaluation.evaluator import TextEvaluator


@dataclass(frozen=True)
class EvaluatorRecord(ReaderRecord):
    """The entry of one evaluator in a list.

    Attributes:
        text: Whether it measures running text, so that a comparison can run it on every held-out text.
        lower_is_better: Whether a lower main figure is the better one.
    """

    kind: ClassVar[str] = "evaluator"
    text: bool = False
    lower_is_better: bool = False

    @classmethod
    def further(cls, plugin: type[Any], documented: Mapping[str, str]) -> dict[str, Any]:
        """What it reads and measures, and which figures are better."""
        own = {"text": issubclass(plugin, TextEvaluator), "lower_is_better": plugin.lower_is_better}
        return super().further(plugin, documented) | own


def by_data(records: Iterable[EvaluatorRecord]) -> dict[str, list[EvaluatorRecord]]:
    """Group records under headings: those of held-out text, those of tasks, broken ones at the end."""
    text_first = sorted(records, key=lambda one: not one.text)
    return grouped(text_first, lambda one: "measure held-out text" if one.text else "measure tasks")
