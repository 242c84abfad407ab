"""Laws of the file, class and fields of every plug-in."""

from __future__ import annotations

import dataclasses
import inspect
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from lexigraft.core.errors import LexigraftError
from lexigraft.core.registry import Plugin, base_of, construct, discover, with_article
from lexigraft.testing.law import Law, require, skip_unless

if TYPE_CHECKING:
    from typing import Any

HEAVY = ("torch", "transformers", "peft", "mlflow", "fasttext", "pandas", "matplotlib", "datasets", "sklearn")
_PROBE = """
import importlib, importlib.util, json, os, sys
before = set(sys.modules)
base, *plugins = sys.argv[1:]
importlib.import_module(base)  # every plug-in of the kind imports it: here once, for all processes that are forked
for plugin in plugins:
    if os.fork():
        os.wait()
        continue
    answers, sys.stdout, error = sys.stdout, sys.stderr, ""
    try:
        if plugin.endswith(".py"):
            spec = importlib.util.spec_from_file_location("lexigraft_light_import_probe", plugin)
            module = importlib.util.module_from_spec(spec)
            sys.modules[spec.name] = module
            spec.loader.exec_module(module)
        else:
            importlib.import_module(plugin)
    except BaseException as raised:
        error = f"{type(raised).__name__}: {raised}"
    brought = sorted({name.partition(".")[0] for name in set(sys.modules) - before})
    print(json.dumps([plugin, error, brought]), file=answers, flush=True)
    os._exit(0)
"""
Brought = Mapping[str, tuple[str, Sequence[str]]]
"""For each plug-in why its import failed, empty where it did not, and the packages that came with it."""


def class_of(plugin: Plugin) -> type[Any]:
    """The plug-in's class; a broken plug-in has none."""
    if plugin.cls is None:
        raise LexigraftError(f"{plugin.kind} is broken", plugin.name, str(plugin.broken))
    return plugin.cls


def require_record(plugin: Plugin, parts: Sequence[str]) -> None:
    """Raise ``LawBroken`` unless the docstring begins with a summary and has the parts, and the file has its line."""
    cls = class_of(plugin)
    documentation = vars(cls).get("__doc__") or ""
    require(not documentation.startswith(f"{cls.__name__}("), "the class has no docstring")
    record = plugin.record
    require(record.summary.endswith((".", "…")), "the docstring does not begin with a summary that ends with a stop")
    missing = [key for key in parts if not record.fields.get(key)]
    require(not missing, f"the docstring lacks {', '.join(missing)}")
    documented = not plugin.file or bool(inspect.getdoc(inspect.getmodule(cls)))
    require(documented, "the file's first line does not say what it is for")


def _skip_without_file(plugin: Plugin) -> None:
    skip_unless(bool(plugin.file), f"the class has no file of its own, named after the {plugin.kind}")


def _name_is_file_stem(plugin: Plugin) -> None:
    name = class_of(plugin).name
    require(name.isidentifier() and name == name.lower(), f"'{name}' is not a lower-case identifier")
    require(name == plugin.name, f"name '{name}' is registered as '{plugin.name}'")
    _skip_without_file(plugin)
    require(
        plugin.origin == "entry point" or name == Path(plugin.file).stem, f"name '{name}' in {Path(plugin.file).name}"
    )


def _frozen_dataclass(plugin: Plugin) -> None:
    cls, base = class_of(plugin), base_of(plugin.kind)
    require(issubclass(cls, base), f"{cls.__name__} is not {with_article(plugin.kind)}")
    require(
        "__dataclass_params__" in vars(cls) and cls.__dataclass_params__.frozen, "not decorated @dataclass(frozen=True)"
    )
    made = cls()
    of_the_base = {"aliases", *inspect.get_annotations(base)} - {f.name for f in dataclasses.fields(base)}
    declared = of_the_base & {f.name for f in dataclasses.fields(made)}
    require(not declared, f"{sorted(declared)} must be ClassVar, not fields")
    require(hash(made) == hash(cls()), "two instances of the defaults have different hashes")


def _imported_as(plugin: Plugin) -> str:
    """A package's module, which may import others relatively; else a file, which stands alone."""
    cls = class_of(plugin)
    return cls.__module__ if plugin.origin == "entry point" else inspect.getfile(cls)


def _brought(kind: str, plugins: Sequence[str]) -> Brought:
    """What each plug-in brings that is imported in a process of its own."""
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(p for p in sys.path if p))
    command = [sys.executable, "-c", _PROBE, base_of(kind).__module__, *plugins]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=120)
    return {plugin: (error, brought) for plugin, error, brought in map(json.loads, done.stdout.splitlines())}


@cache
def _brought_by_those_that_come_along(kind: str) -> Brought:
    """What the package's own plug-ins bring, looked up together: they do not change while a process runs."""
    return _brought(kind, [_imported_as(p) for p in discover(kind).values() if p.origin == "package" and p.cls])


def _light_import(plugin: Plugin) -> None:
    _skip_without_file(plugin)
    name, along = _imported_as(plugin), plugin.origin == "package"
    found = _brought_by_those_that_come_along(plugin.kind) if along else _brought(plugin.kind, [name])
    error, brought = found.get(name, ("it ends the process", ()))
    require(not error, f"importing it alone fails: {error}")
    heavy = sorted(set(HEAVY) & set(brought))
    require(not heavy, f"importing it brings {', '.join(heavy)}; import them inside functions")


def _default_construction(plugin: Plugin) -> None:
    cls = class_of(plugin)
    require(cls() == cls(), "two instances of the defaults are not equal")
    for alias, preset in plugin.aliases.items():
        sound = alias.isidentifier() and alias == alias.lower() and alias != plugin.name
        require(sound, f"alias '{alias}' is not another lower-case identifier")
        construct(plugin.kind, alias, cls, dict(preset))


def _recipe_round_trip(plugin: Plugin) -> None:
    cls = class_of(plugin)
    made = cls()
    parameters = made.parameters()
    fields = {f.name for f in dataclasses.fields(cls)}
    require(set(parameters) == fields, f"parameters() names {sorted(parameters)}, the fields are {sorted(fields)}")
    written = yaml.safe_dump(parameters)
    reread = construct(plugin.kind, plugin.name, cls, yaml.safe_load(written))
    require(reread == made, f"reading the parameters back gives {reread}, not {made}")


LAWS = tuple(
    Law(name, "form", check, on_fixtures=False)
    for name, check in {
        "name is the file's stem": _name_is_file_stem,
        "is a frozen dataclass": _frozen_dataclass,
        "import is light": _light_import,
        "default construction works": _default_construction,
        "recipe round trip gives an equal plug-in": _recipe_round_trip,
    }.items()
)
