"""Laws of form for augmenters: the docstring record, and what the class declares."""

from __future__ import annotations

import dataclasses

from lexigraft.core.grafting.extension import row_strategies
from lexigraft.core.registry import Plugin
from lexigraft.testing.law import Law, require
from lexigraft.testing.laws.plugin_file import class_of, require_record

_PLACES = ("anchors", "words", "characters")


def _record_is_complete(plugin: Plugin) -> None:
    require_record(plugin, ("Source",))


def _places_are_known(plugin: Plugin) -> None:
    place = class_of(plugin).edits_at
    require(place in _PLACES, f"edits_at is '{place}', not one of {', '.join(_PLACES)}")


def _loss_options_are_fields(plugin: Plugin) -> None:
    cls = class_of(plugin)
    fields = {field.name: field.default for field in dataclasses.fields(cls)}
    for kind, name in cls.loss_options.items():
        require(isinstance(fields.get(name), bool), f"'{name}', which is about pieces of kind '{kind}', is no flag")


def _tokens_get_rows(plugin: Plugin) -> None:
    row_strategies(class_of(plugin)().added_tokens())


LAWS = tuple(
    Law(name, "form", check, on_fixtures=False)
    for name, check in {
        "docstring record is complete": _record_is_complete,
        "the places of edits are known": _places_are_known,
        "loss options are flags": _loss_options_are_fields,
        "added tokens have a strategy for their rows": _tokens_get_rows,
    }.items()
)
