"""Records of plug-ins in the catalogs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Generic, Self, TypeVar

from lexigraft.core.config.input_files import InputFile
from lexigraft.core.registry import Plugin


@dataclass(frozen=True)
class PluginRecord:
    """The entry of one plug-in in a list.

    A subclass says of which kind, and what else its entries hold.

    Attributes:
        name: Its name.
        summary: The first line of its docstring.
        file: Where it is.
        broken: Why it cannot be loaded; ``None`` where it can. A broken plug-in has no further fields.
        aliases: Other names, each with the fields that it stands for.
    """

    kind: ClassVar[str]
    known_of_broken: ClassVar[tuple[str, ...]] = ("name", "summary", "broken", "file")
    name: str
    summary: str
    file: str
    broken: str | None = None
    aliases: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, plugin: Plugin) -> Self:
        """The entry of a plug-in, broken or not."""
        if plugin.cls is None:
            return cls(plugin.name, "", plugin.file, broken=plugin.broken)
        aliases = {alias: dict(preset) for alias, preset in plugin.aliases.items()}
        further = cls.further(plugin.cls, plugin.record.fields)
        return cls(plugin.name, plugin.record.summary, plugin.file, aliases=aliases, **further)

    @classmethod
    def further(cls, plugin: type[Any], documented: Mapping[str, str]) -> dict[str, Any]:
        """The fields that only entries of this kind have.

        Args:
            plugin: The class of a plug-in.
            documented: The parts of its docstring, such as ``Source``.
        """
        return {}

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

    @classmethod
    def further(cls, plugin: type[Any], documented: Mapping[str, str]) -> dict[str, Any]:
        """Its files, kinds of models and source."""
        return {"files": dict(plugin.files), "kinds": sorted(plugin.kinds), "source": documented.get("Source", "")}

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


Record = TypeVar("Record", bound=PluginRecord)


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
