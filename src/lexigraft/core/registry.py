"""Finding plug-ins: files under ``plugins/``, folders named by ``LEXIGRAFT_PLUGINS``, and entry points."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.metadata
import importlib.util
import inspect
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from lexigraft.core.errors import LexigraftError, UnknownName

PLUGIN_PATH = "LEXIGRAFT_PLUGINS"
KINDS = {
    "strategy": ("strategies", "lexigraft.core.strategy", "Strategy"),
    "objective": ("objectives", "lexigraft.core.objective", "Objective"),
    "evaluator": ("evaluators", "lexigraft.core.evaluator", "Evaluator"),
}
_PACKAGE = Path(__file__).parent.parent / "plugins"


@dataclass(frozen=True)
class Record:
    """A plug-in's docstring read as a form: the summary, then ``Source:``, ``Needs:`` and ``Relations:``."""

    summary: str
    fields: dict[str, str]

    @classmethod
    def of(cls, docstring: str) -> Record:
        """Read a docstring; a field runs until the next field or blank line."""
        text = inspect.cleandoc(docstring or "")
        summary = text.split("\n\n")[0].replace("\n", " ").strip()
        found = re.findall(r"^(Source|Needs|Relations): *(.+?)(?=^\w+: |\n\n|\Z)", text, re.M | re.S)
        return cls(summary, {key: " ".join(value.split()) for key, value in found})


@dataclass(frozen=True)
class Plugin:
    """One plug-in: the class, or the reason why it is broken."""

    kind: str
    name: str
    file: str
    origin: str
    cls: type[Any] | None
    broken: str | None = None

    @property
    def record(self) -> Record:
        """What its docstring says."""
        return Record.of((self.cls.__doc__ if self.cls else "") or "")


def discover(kind: str) -> dict[str, Plugin]:
    """Every plug-in of a kind by name, sorted. A broken file is listed as broken and breaks nothing else.

    Raises:
        LexigraftError: Two plug-ins share a name.
    """
    found: dict[str, Plugin] = {}
    for plugin in [*_from_files(kind), *_from_entry_points(kind)]:
        if (other := found.get(plugin.name)) is not None and other.file != plugin.file:
            raise LexigraftError(
                f"two {kind} plug-ins share a name", plugin.name, f"See {other.file} and {plugin.file}"
            )
        found[plugin.name] = plugin
    return dict(sorted(found.items()))


def find(kind: str, name: str) -> type[Any]:
    """The class of a plug-in.

    Raises:
        UnknownName: Nothing has this name; the message holds the closest one.
        LexigraftError: The plug-in is broken.
    """
    plugins = discover(kind)
    if name not in plugins:
        raise UnknownName(kind, name, plugins)
    plugin = plugins[name]
    if plugin.cls is None:
        raise LexigraftError(f"{kind} is broken", name, f"{plugin.file}: {plugin.broken}")
    return plugin.cls


def make(kind: str, name: str, fields: dict[str, Any] | None = None) -> Any:
    """Build a configured plug-in; fields given as text are read as the type that the field declares.

    Raises:
        UnknownName: No such plug-in or no such field.
        LexigraftError: A value that the field cannot take.
    """
    return construct(kind, name, find(kind, name), fields)


def construct(kind: str, name: str, cls: type[Any], fields: dict[str, Any] | None = None) -> Any:
    """Configure a plug-in class that is at hand; as :func:`make`."""
    known = {f.name: f for f in dataclasses.fields(cls)}
    for key in fields or {}:
        if key not in known:
            raise UnknownName(f"field of {kind} '{name}'", key, known)
    hints = _type_hints(cls) if fields else {}
    values = {
        key: _read(f"field '{key}' of {kind} '{name}'", hints[key], value) for key, value in (fields or {}).items()
    }
    try:
        return cls(**values)
    except (TypeError, ValueError) as fault:
        raise LexigraftError(f"{kind} '{name}' cannot take these values", str(values), str(fault)) from None


def _read(what: str, hint: Any, value: Any) -> Any:
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(hint).validate_python(value)
    except ValidationError as fault:
        raise LexigraftError(f"{what} cannot take this value", value, fault.errors()[0]["msg"]) from None


def _type_hints(cls: type[Any]) -> dict[str, Any]:
    import typing

    return typing.get_type_hints(cls, include_extras=True)


def _from_files(kind: str) -> Iterator[Plugin]:
    folder = KINDS[kind][0]
    for path in sorted((_PACKAGE / folder).glob("[!_]*.py")):
        yield _load(kind, path, f"lexigraft.plugins.{folder}.{path.stem}", "package")
    for root in filter(None, os.environ.get(PLUGIN_PATH, "").split(os.pathsep)):
        if not Path(root).is_dir():
            raise LexigraftError(f"folder named by {PLUGIN_PATH} does not exist", root)
        for path in sorted((Path(root) / folder).glob("[!_]*.py")):
            yield _load(kind, path.resolve(), None, "folder")
        for path in sorted(Path(root).glob("[!_]*.py")):
            plugin = _load(kind, path.resolve(), None, "folder")
            if plugin.cls is not None or (plugin.broken and kind == "strategy" and not _holds_other_kind(kind, path)):
                yield plugin


def _holds_other_kind(kind: str, path: Path) -> bool:
    return any(_load(other, path.resolve(), None, "folder").cls is not None for other in KINDS if other != kind)


def _load(kind: str, path: Path, module_name: str | None, origin: str) -> Plugin:
    try:
        module = importlib.import_module(module_name) if module_name else _import_file(path)
        return Plugin(kind, path.stem, str(path), origin, _class_in(kind, module))
    except Exception as fault:  # a plug-in may fail in any way; it must not take the others along
        return Plugin(kind, path.stem, str(path), origin, None, f"{type(fault).__name__}: {fault}")


def _import_file(path: Path) -> ModuleType:
    name = f"lexigraft_plugin_{path.stem}_{abs(hash(str(path)))}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot read {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _base(kind: str) -> type[Any]:
    _, module, name = KINDS[kind]
    base: type[Any] = getattr(importlib.import_module(module), name)
    return base


def _class_in(kind: str, module: ModuleType) -> type[Any]:
    base = _base(kind)
    own = [
        c
        for c in vars(module).values()
        if isinstance(c, type) and issubclass(c, base) and c.__module__ == module.__name__
    ]
    named = [c for c in own if "name" in vars(c)]
    if len(named) != 1:
        raise LexigraftError(f"the file must define one {base.__name__} with a name", len(named))
    return named[0]


def _from_entry_points(kind: str) -> Iterator[Plugin]:
    for point in importlib.metadata.entry_points(group=f"lexigraft.{KINDS[kind][0]}"):
        try:
            cls = point.load()
            file = inspect.getfile(cls)
            yield Plugin(kind, point.name, file, "entry point", cls)
        except Exception as fault:  # as above: one broken distribution must not take the others along
            yield Plugin(kind, point.name, point.value, "entry point", None, f"{type(fault).__name__}: {fault}")
