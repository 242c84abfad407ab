"""Entries of objectives in the catalog."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from lexigraft.api.plugins.catalog import grouped
from lexigraft.api.plugins.records import ReaderRecord
from lexigraft.core.training.objective import DEFAULT_OBJECTIVE


@dataclass(frozen=True)
class ObjectiveRecord(ReaderRecord):
    """The entry of one objective in a list.

    Attributes:
        annotated: Whether the training text must be annotated.
        lays_out: Whether it lays out the training text itself, which then is neither augmented nor mixed.
    """

    kind: ClassVar[str] = "objective"
    annotated: bool = False
    lays_out: bool = False

    @classmethod
    def further(cls, plugin: type[Any], documented: Mapping[str, str]) -> dict[str, Any]:
        """What it reads and trains, and the training text that it takes."""
        own = {"annotated": plugin.entities, "lays_out": plugin.packs}
        return super().further(plugin, documented) | own

    @property
    def usual(self) -> bool:
        """Whether models of some kind train with it where none is named."""
        return self.name in DEFAULT_OBJECTIVE.values()


def by_use(records: Iterable[ObjectiveRecord]) -> dict[str, list[ObjectiveRecord]]:
    """Group records under headings: those that models train with by default, the others, broken ones at the end."""
    usual_first = sorted(records, key=lambda one: not one.usual)
    return grouped(usual_first, lambda one: "the usual one of a kind of models" if one.usual else "others")
