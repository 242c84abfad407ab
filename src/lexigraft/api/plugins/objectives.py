"""Catalog of objectives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lexigraft.api.plugins.records import PluginDetails, ReaderRecord, details_of
from lexigraft.core.registry import Plugin, discover, resolve
from lexigraft.core.training.objective import DEFAULT_OBJECTIVE

if TYPE_CHECKING:
    from lexigraft.testing.law import Outcome

USUAL_HEADING, OTHER_HEADING = "the usual one of a kind of models", "others"


@dataclass(frozen=True)
class ObjectiveRecord(ReaderRecord):
    """The entry of one objective in a list.

    Attributes:
        annotated: Whether the training text must be annotated.
        lays_out: Whether it lays out the training text itself, which then is neither augmented nor mixed.
    """

    annotated: bool = False
    lays_out: bool = False


def list_objectives() -> list[ObjectiveRecord]:
    """Every objective found, broken ones too."""
    return [describe_objective(plugin) for plugin in discover("objective").values()]


def by_use(records: Sequence[ObjectiveRecord]) -> dict[str, list[ObjectiveRecord]]:
    """Group records under headings: those that models train with by default, the others, broken ones at the end."""
    headings: dict[str, list[ObjectiveRecord]] = {USUAL_HEADING: [], OTHER_HEADING: [], "broken": []}
    for one in records:
        usual = one.name in DEFAULT_OBJECTIVE.values()
        headings["broken" if one.broken else USUAL_HEADING if usual else OTHER_HEADING].append(one)
    return {heading: members for heading, members in headings.items() if members}


def objective_details(name: str) -> PluginDetails[ObjectiveRecord]:
    """One objective in full.

    Args:
        name: The objective's name or an alias.

    Raises:
        UnknownName: No objective has this name.
    """
    return details_of("objective", name, describe_objective)


def describe_objective(plugin: Plugin) -> ObjectiveRecord:
    """One objective's record."""
    if plugin.cls is None:
        return ObjectiveRecord(plugin.name, "", plugin.file, broken=plugin.broken)
    return ObjectiveRecord(
        name=plugin.name,
        summary=plugin.record.summary,
        file=plugin.file,
        aliases={alias: dict(preset) for alias, preset in plugin.aliases.items()},
        files=dict(plugin.cls.files),
        kinds=sorted(plugin.cls.kinds),
        source=plugin.record.fields.get("Source", ""),
        annotated=plugin.cls.entities,
        lays_out=plugin.cls.packs,
    )


def check_objective(name: str) -> list[Outcome]:
    """Run every law of the contract on an objective, on each kind of model that it is for.

    Args:
        name: The objective's name, or an alias, which is checked with the options it stands for.

    Returns:
        One outcome for each law and fixture.

    Raises:
        UnknownName: No objective has this name.
    """
    plugin, preset = resolve("objective", name)
    from lexigraft.testing.objective_contract import run_objective_checks

    return run_objective_checks(plugin, options=preset)
