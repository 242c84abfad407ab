"""Catalog of evaluators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lexigraft.api.plugins.records import PluginDetails, ReaderRecord, details_of
from lexigraft.core.evaluation.evaluator import TextEvaluator
from lexigraft.core.registry import Plugin, discover, resolve

if TYPE_CHECKING:
    from lexigraft.testing.law import Outcome

TEXT_HEADING, TASK_HEADING = "measure held-out text", "measure tasks"


@dataclass(frozen=True)
class EvaluatorRecord(ReaderRecord):
    """The entry of one evaluator in a list.

    Attributes:
        text: Whether it measures running text, so that a comparison can run it on every held-out text.
        lower_is_better: Whether a lower main figure is the better one.
    """

    text: bool = False
    lower_is_better: bool = False


def list_evaluators() -> list[EvaluatorRecord]:
    """Every evaluator found, broken ones too."""
    return [describe_evaluator(plugin) for plugin in discover("evaluator").values()]


def by_data(records: Sequence[EvaluatorRecord]) -> dict[str, list[EvaluatorRecord]]:
    """Group records under headings: those of held-out text, those of tasks, broken ones at the end."""
    headings: dict[str, list[EvaluatorRecord]] = {TEXT_HEADING: [], TASK_HEADING: [], "broken": []}
    for one in records:
        headings["broken" if one.broken else TEXT_HEADING if one.text else TASK_HEADING].append(one)
    return {heading: members for heading, members in headings.items() if members}


def evaluator_details(name: str) -> PluginDetails[EvaluatorRecord]:
    """One evaluator in full.

    Args:
        name: The evaluator's name or an alias.

    Raises:
        UnknownName: No evaluator has this name.
    """
    return details_of("evaluator", name, describe_evaluator)


def describe_evaluator(plugin: Plugin) -> EvaluatorRecord:
    """One evaluator's record."""
    if plugin.cls is None:
        return EvaluatorRecord(plugin.name, "", plugin.file, broken=plugin.broken)
    return EvaluatorRecord(
        name=plugin.name,
        summary=plugin.record.summary,
        file=plugin.file,
        aliases={alias: dict(preset) for alias, preset in plugin.aliases.items()},
        files=dict(plugin.cls.files),
        kinds=sorted(plugin.cls.kinds),
        text=issubclass(plugin.cls, TextEvaluator),
        lower_is_better=plugin.cls.lower_is_better,
        source=plugin.record.fields.get("Source", ""),
    )


def check_evaluator(name: str) -> list[Outcome]:
    """Run every law of the contract on an evaluator, on each kind of model.

    Args:
        name: The evaluator's name, or an alias, which is checked with the options it stands for.

    Returns:
        One outcome for each law and fixture.

    Raises:
        UnknownName: No evaluator has this name.
    """
    plugin, preset = resolve("evaluator", name)
    from lexigraft.testing.evaluator_contract import run_evaluator_checks

    return run_evaluator_checks(plugin, options=preset)
