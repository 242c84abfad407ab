"""Records of plug-ins in the catalogs."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from lexigraft.core.config.input_files import InputFile
from lexigraft.core.registry import Plugin, resolve


@dataclass(frozen=True)
class PluginRecord:
    """The entry of one plug-in in a list.

    Attributes:
        name: Its name.
        summary: The first line of its docstring.
        file: Where it is.
        broken: Why it cannot be loaded; ``None`` where it can. A broken plug-in has no further fields.
        aliases: Other names, each with the fields that it stands for.
    """

    known_of_broken: ClassVar[tuple[str, ...]] = ("name", "summary", "broken", "file")
    name: str
    summary: str
    file: str
    broken: str | None = None
    aliases: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Plain values; of a broken plug-in only the known ones."""
        values = asdict(self)
        if self.broken is None:
            del values["broken"]
            return values
        return {key: values[key] for key in self.known_of_broken}


@dataclass(frozen=True)
class ReaderRecord(PluginRecord):
    """The entry of a plug-in that reads files and is for some kinds of models.

    Attributes:
        files: What it reads, by the names that recipes give the files.
        kinds: The kinds of models that it is for.
        source: Where it was published.
    """

    files: Mapping[str, InputFile] = field(default_factory=dict)
    kinds: Sequence[str] = ()
    source: str = ""

    @property
    def reads(self) -> str:
        """Its files and kinds of models as a phrase, such as ``test, [train]; causal models``."""
        files = ", ".join(name if file.required else f"[{name}]" for name, file in self.files.items())
        return f"{files or 'no files'}; {', '.join(self.kinds)} models"


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


Record = TypeVar("Record", bound=PluginRecord, covariant=True)


@dataclass(frozen=True)
class PluginDetails(Generic[Record]):
    """One plug-in in full.

    Attributes:
        summary: Its entry in the list.
        documentation: Its whole docstring.
        fields: Its hyper-parameters or options.
        record: The parts of the docstring, such as ``Source``.
        preset: The fields that the alias stands for; empty unless the plug-in was named by an alias.
    """

    summary: Record
    documentation: str
    fields: Sequence[FieldRecord]
    record: Mapping[str, str]
    preset: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        values = asdict(self)
        del values["summary"]
        return {**self.summary.as_json(), **values}


def details_of(kind: str, name: str, describe: Callable[[Plugin], Record]) -> PluginDetails[Record]:
    """One plug-in in full.

    Args:
        kind: The kind of plug-in.
        name: Its name or an alias.
        describe: Makes its entry in the list.

    Raises:
        UnknownName: No plug-in of the kind has this name.
    """
    plugin, preset = resolve(kind, name)
    documentation = inspect.getdoc(plugin.cls) if plugin.cls else f"This {kind} is broken: {plugin.broken}"
    return PluginDetails(describe(plugin), documentation or "", _fields_of(plugin), plugin.record.fields, preset)


def _fields_of(plugin: Plugin) -> list[FieldRecord]:
    """The fields of one plug-in; none of a broken one."""
    if plugin.cls is None:
        return []
    return [FieldRecord(f.name, str(f.type), _default(f)) for f in dataclasses.fields(plugin.cls)]


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default_factory() if callable(field.default_factory) else field.default
