"""Laws of the file of a plug-in that reads files and is for some kinds of models."""

from __future__ import annotations

from typing import get_args

from lexigraft.core.config.input_files import InputFile
from lexigraft.core.models.architecture import ModelKind
from lexigraft.core.registry import Plugin
from lexigraft.testing.law import Law, require
from lexigraft.testing.laws.plugin_file import class_of, require_record


def _record_is_complete(plugin: Plugin) -> None:
    require_record(plugin, ("Source",))


def _files_are_described(plugin: Plugin) -> None:
    for name, file in class_of(plugin).files.items():
        require(name.isidentifier() and name == name.lower(), f"'{name}' is not a lower-case identifier")
        require(isinstance(file, InputFile) and bool(file.holds.strip()), f"'{name}' does not say what the file holds")


def _kinds_are_known(plugin: Plugin) -> None:
    kinds = class_of(plugin).kinds
    require(isinstance(kinds, frozenset) and bool(kinds), "kinds is not a set of at least one kind of model")
    unknown = sorted(kinds - set(get_args(ModelKind)))
    require(not unknown, f"there are no models of the kind {', '.join(unknown)}")


LAWS = tuple(
    Law(name, "form", check, on_fixtures=False)
    for name, check in {
        "docstring record is complete": _record_is_complete,
        "files are described": _files_are_described,
        "kinds of models are known": _kinds_are_known,
    }.items()
)
