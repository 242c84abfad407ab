"""Laws of a strategy's file."""

from __future__ import annotations

from lexigraft.core.registry import Plugin
from lexigraft.testing.law import Law, require
from lexigraft.testing.laws.plugin_file import class_of, require_record


def _record_is_complete(plugin: Plugin) -> None:
    require_record(plugin, ("Source", "Needs", "Relations"))
    said, needs = plugin.record.fields["Needs"], class_of(plugin).needs
    nothing = said.lower().startswith("nothing")
    require(nothing != bool(needs), f"the docstring says 'Needs: {said}', needs is {sorted(needs)}")


def _required_needs_are_declared(plugin: Plugin) -> None:
    strategy = class_of(plugin)()
    extra = sorted(strategy.required_needs() - strategy.needs)
    require(not extra, f"required_needs() goes beyond needs: {', '.join(extra)}")


LAWS = tuple(
    Law(name, "form", check, on_fixtures=False)
    for name, check in {
        "docstring record is complete": _record_is_complete,
        "required needs are declared": _required_needs_are_declared,
    }.items()
)
