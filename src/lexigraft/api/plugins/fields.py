"""What the catalogs of strategies and of evaluators share: the fields of a plug-in."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from lexigraft.core.registry import Plugin


@dataclass(frozen=True)
class FieldRecord:
    """A hyper-parameter of a strategy, or an option of an evaluator.

    Attributes:
        name: The field's name.
        type: Its type, as written.
        default: Its default value.
    """

    name: str
    type: str
    default: Any


def fields_of(plugin: Plugin) -> list[FieldRecord]:
    """The fields of one plug-in; none of a broken one."""
    if plugin.cls is None:
        return []
    return [FieldRecord(f.name, str(f.type), _default(f)) for f in dataclasses.fields(plugin.cls)]


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default_factory() if callable(field.default_factory) else field.default
