"""Discovery of plug-ins."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.metadata
import importlib.util
import inspect
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NamedTuple

from lexigraft.core.errors import LexigraftError, UnknownName

PluginSpec = tuple[str, Mapping[str, Any]]
"""A plug-in by its name, with the fields that differ from its defaults."""

PLUGIN_PATH = "LEXIGRAFT_PLUGINS"


class Kind(NamedTuple):
    """A kind of plug-in.

    Attributes:
        folder: The folder of such plug-ins, and the entry point group after ``lexigraft.``.
        package: The package that holds the built-in ones.
        module: The module that defines their base class.
        base: The base class's name.
    """

    folder: str
    package: str
    module: str
    base: str


KINDS = {
    "strategy": Kind("strategies", "plugins.strategies", "core.grafting.strategy", "Strategy"),
    "objective": Kind("objectives", "plugins.objectives", "core.training.objective", "Objective"),
    "evaluator": Kind("evaluators", "plugins.evaluators", "core.evaluation.evaluator", "Evaluator"),
    "augmenter": Kind("augmenters", "plugins.augmenters", "core.data.augmenter", "Augmenter"),
    "need": Kind("needs", "api.needs", "core.grafting.needs", "NeedSpec"),
    "launcher": Kind("launchers", "plugins.launchers", "core.remote.launcher", "Launcher"),
}
_ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Record:
    """The parts of a plug-in's docstring.

    They are the summary, then ``Source:``, ``Needs:`` and ``Relations:``.
    """

    summary: str
    fields: dict[str, str]

    @classmethod
    def of(cls, docstring: str) -> Record:
        """Read a docstring; a field runs until the next field or blank line."""
        text = inspect.cleandoc(docstring or "")
        summary = text.split("\n\n")[0].replace("\n", " ").strip()
        found = re.findall(r"^(Source|Needs|Relations): *(.+?)(?=^\w+: |\n\n|\Z)", text, re.M | re.S)
        return cls(summary, {key: " ".join(value.split()) for key, value in found})


Location = Literal["package", "folder of the kind", "folder"]


class PluginFile(NamedTuple):
    """A file that may hold a plug-in, with the kind of folder that it is in and its modification time."""

    path: Path
    location: Location
    changed: int


@dataclass(frozen=True)
class Plugin:
    """One plug-in, with its class or the reason why it is broken."""

    kind: str
    name: str
    file: str
    origin: str
    cls: type[Any] | None
    broken: str | None = None

    @property
    def record(self) -> Record:
        """The parts of its docstring."""
        return Record.of((self.cls.__doc__ if self.cls else "") or "")

    @property
    def aliases(self) -> Mapping[str, Mapping[str, Any]]:
        """Its other names, each with the field values that it stands for."""
        found: Mapping[str, Mapping[str, Any]] = getattr(self.cls, "aliases", {})
        return found


def with_article(kind: str) -> str:
    """A kind as one of its plug-ins is called: ``a strategy``, ``an evaluator``."""
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def discover(kind: str) -> dict[str, Plugin]:
    """Every plug-in of a kind by name, sorted. A broken file is listed as broken and breaks nothing else.

    The result is cached until a file is added, removed or changed; modules that were imported stay imported.

    Raises:
        LexigraftError: Two plug-ins share a name or an alias, or a folder does not exist.
    """
    return dict(_discovered(kind, _files(kind), tuple(sys.path)))


@lru_cache(maxsize=2 * len(KINDS))
def _discovered(kind: str, files: tuple[PluginFile, ...], path: tuple[str, ...]) -> dict[str, Plugin]:
    """As :func:`discover`, cached by the files and by the search path, which decides the entry points."""
    found: dict[str, Plugin] = {}
    for plugin in [*_from_files(kind, files), *_from_entry_points(kind)]:
        if (other := found.get(plugin.name)) is not None:
            _refuse_shared(kind, plugin.name, other, plugin)
        found[plugin.name] = plugin
    _with_aliases(kind, found)
    return dict(sorted(found.items()))


def by_any_name(kind: str) -> dict[str, Plugin]:
    """Every plug-in of a kind by its name and by each of its aliases; raises as :func:`discover`."""
    return _with_aliases(kind, discover(kind))


def _with_aliases(kind: str, plugins: Mapping[str, Plugin]) -> dict[str, Plugin]:
    found = dict(plugins)
    for plugin in plugins.values():
        for alias in plugin.aliases:
            if (other := found.get(alias)) is not None:
                _refuse_shared(kind, alias, other, plugin)
            found[alias] = plugin
    return found


def _refuse_shared(kind: str, name: str, one: Plugin, two: Plugin) -> None:
    if one.file != two.file:
        raise LexigraftError(f"two {kind} plug-ins share a name", name, f"See {one.file} and {two.file}")


def resolve(kind: str, name: str) -> tuple[Plugin, dict[str, Any]]:
    """A plug-in by its name or an alias, broken or not, with the fields that the alias stands for.

    Raises:
        UnknownName: Nothing has this name; the message holds the closest one.
    """
    plugins = by_any_name(kind)
    if name not in plugins:
        hint = "" if PLUGIN_PATH in os.environ else f"files of your own are read from the folders in {PLUGIN_PATH}"
        raise UnknownName(kind, name, plugins, hint)
    return plugins[name], dict(plugins[name].aliases.get(name, {}))


def find(kind: str, name: str) -> type[Any]:
    """The class of a plug-in, by its name or an alias.

    Raises:
        UnknownName: Nothing has this name; the message holds the closest one.
        LexigraftError: The plug-in is broken.
    """
    return _working(resolve(kind, name)[0], name)


def _working(plugin: Plugin, name: str) -> type[Any]:
    if plugin.cls is None:
        raise LexigraftError(f"{plugin.kind} is broken", name, f"{plugin.file}: {plugin.broken}")
    return plugin.cls


def make(kind: str, name: str, fields: dict[str, Any] | None = None) -> Any:
    """Build a configured plug-in; fields given as text are read as the type that the field declares.

    Fields that are given win over those that an alias stands for.

    Raises:
        UnknownName: No such plug-in or no such field.
        LexigraftError: A value that the field cannot take.
    """
    plugin, preset = resolve(kind, name)
    return construct(kind, name, _working(plugin, name), {**preset, **(fields or {})})


def construct(kind: str, name: str, cls: type[Any], fields: dict[str, Any] | None = None) -> Any:
    """Build a configured plug-in from its class, as :func:`make` does from its name."""
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
    except (TypeError, ValueError) as error:
        raise LexigraftError(f"{kind} '{name}' cannot take these values", str(values), str(error)) from None


def _read(what: str, hint: Any, value: Any) -> Any:
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(hint).validate_python(value)
    except ValidationError as error:
        raise LexigraftError(f"{what} cannot take this value", value, error.errors()[0]["msg"]) from None


def _type_hints(cls: type[Any]) -> dict[str, Any]:
    import typing

    return typing.get_type_hints(cls, include_extras=True)


def _files(kind: str) -> tuple[PluginFile, ...]:
    """The files that may hold a plug-in of a kind, in a fixed order."""
    folder, package, *_ = KINDS[kind]
    folders: list[tuple[Path, Location]] = [(_ROOT.joinpath(*package.split(".")), "package")]
    for root in filter(None, os.environ.get(PLUGIN_PATH, "").split(os.pathsep)):
        if not Path(root).is_dir():
            raise LexigraftError(f"folder named by {PLUGIN_PATH} does not exist", root)
        folders += [(Path(root) / folder, "folder of the kind"), (Path(root), "folder")]
    return tuple(
        PluginFile(path.resolve() if location != "package" else path, location, path.stat().st_mtime_ns)
        for parent, location in folders
        for path in sorted(parent.glob("[!_]*.py"))
    )


def _from_files(kind: str, files: tuple[PluginFile, ...]) -> Iterator[Plugin]:
    for file in files:
        if file.location == "package":
            yield _load(kind, file.path, f"lexigraft.{KINDS[kind].package}.{file.path.stem}", "package")
            continue
        plugin = _load(kind, file.path, None, "folder")
        unclaimed = plugin.broken and kind == "strategy" and not _holds_other_kind(kind, file.path)
        if file.location == "folder of the kind" or plugin.cls is not None or unclaimed:
            yield plugin


def _holds_other_kind(kind: str, path: Path) -> bool:
    return any(_load(other, path, None, "folder").cls is not None for other in KINDS if other != kind)


def _load(kind: str, path: Path, module_name: str | None, origin: str) -> Plugin:
    try:
        module = importlib.import_module(module_name) if module_name else _import_file(path)
        return Plugin(kind, path.stem, str(path), origin, _class_in(kind, module))
    except BaseException as error:  # a plug-in may raise anything, or exit; it must not break the others
        return Plugin(kind, path.stem, str(path), origin, None, f"{type(error).__name__}: {error}")


def _import_file(path: Path) -> ModuleType:
    # The folder is part of the name, and the same in every process: workers unpickle classes by this name.
    name = f"lexigraft_plugin_{path.stem}_{blake2b(os.fsencode(path), digest_size=8).hexdigest()}"
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


def base_of(kind: str) -> type[Any]:
    """The base class of a kind of plug-in."""
    base: type[Any] = getattr(importlib.import_module(f"lexigraft.{KINDS[kind].module}"), KINDS[kind].base)
    return base


def _class_in(kind: str, module: ModuleType) -> type[Any]:
    base = base_of(kind)
    own = [
        c
        for c in vars(module).values()
        if isinstance(c, type) and issubclass(c, base) and c.__module__ == module.__name__
    ]
    named = [c for c in own if "name" in vars(c)]
    if len(named) != 1:
        raise LexigraftError(f"the file must define one {base.__name__} with a name", len(named))
    _refuse_incomplete(named[0], base)
    return named[0]


def _refuse_incomplete(cls: type[Any], base: type[Any]) -> None:
    """Refuse a class that lacks what its base class only declares, or whose aliases are no mapping."""
    missing = [name for name in inspect.get_annotations(base) if not hasattr(cls, name)]
    if missing := missing + sorted(getattr(cls, "__abstractmethods__", ())):
        raise LexigraftError(f"the {base.__name__} lacks", ", ".join(missing))
    if not isinstance(aliases := getattr(cls, "aliases", {}), Mapping):
        raise LexigraftError("aliases must map each other name to the fields it stands for", aliases)


def _refuse_other(kind: str, name: str, cls: Any) -> None:
    """Refuse what an entry point names unless it is a class of the kind with the entry point's own name."""
    base = base_of(kind)
    if not (isinstance(cls, type) and issubclass(cls, base)):
        raise LexigraftError(f"the entry point must name a {base.__name__}", repr(cls))
    if (own := getattr(cls, "name", None)) != name:
        raise LexigraftError("the entry point and its class have different names", f"'{name}' and '{own}'")
    _refuse_incomplete(cls, base)


def _from_entry_points(kind: str) -> Iterator[Plugin]:
    for point in importlib.metadata.entry_points(group=f"lexigraft.{KINDS[kind].folder}"):
        try:
            cls = point.load()
            _refuse_other(kind, point.name, cls)
            yield Plugin(kind, point.name, inspect.getfile(cls), "entry point", cls)
        except BaseException as error:  # as above: one broken distribution must not take the others along
            yield Plugin(kind, point.name, point.value, "entry point", None, f"{type(error).__name__}: {error}")
