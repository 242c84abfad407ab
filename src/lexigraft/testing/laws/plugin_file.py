"""Laws of form: a strategy's file, class, docstring record and fields, checked before any plan."""

from __future__ import annotations

import dataclasses
import inspect
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.strategy import Strategy
from lexigraft.core.registry import Plugin, construct
from lexigraft.testing.trial import Law, require, skip_unless

if TYPE_CHECKING:
    from typing import Any

HEAVY = ("torch", "transformers", "peft", "mlflow", "fasttext", "pandas", "matplotlib", "datasets", "sklearn")
_NO_FILE = "the class has no file of its own, named after the strategy"
_PROBE = """
import importlib.util, sys
before = set(sys.modules)
file, module_of_a_package = sys.argv[1:]
if module_of_a_package:
    importlib.import_module(module_of_a_package)
else:
    spec = importlib.util.spec_from_file_location("lexigraft_light_import_probe", file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before}))
"""


def class_of(plugin: Plugin) -> type[Any]:
    """The plug-in's class; a broken plug-in has none."""
    if plugin.cls is None:
        raise LexigraftError("strategy is broken", plugin.name, str(plugin.broken))
    return plugin.cls


def _name_is_file_stem(plugin: Plugin) -> None:
    name = class_of(plugin).name
    require(name.isidentifier() and name == name.lower(), f"'{name}' is not a lower-case identifier")
    require(name == plugin.name, f"name '{name}' is registered as '{plugin.name}'")
    skip_unless(bool(plugin.file), _NO_FILE)
    require(
        plugin.origin == "entry point" or name == Path(plugin.file).stem, f"name '{name}' in {Path(plugin.file).name}"
    )


def _frozen_dataclass(plugin: Plugin) -> None:
    cls = class_of(plugin)
    require(issubclass(cls, Strategy), f"{cls.__name__} is not a Strategy")
    require(
        "__dataclass_params__" in vars(cls) and cls.__dataclass_params__.frozen, "not decorated @dataclass(frozen=True)"
    )
    strategy = cls()
    names = [f.name for f in dataclasses.fields(strategy)]
    declared = {"name", "aliases", "needs", "scope", "body", "convex", "keeps_tokenizer", "zero_rows"} & set(names)
    require(not declared, f"{sorted(declared)} must be ClassVar, not fields")
    require(hash(strategy) == hash(cls()), "two instances of the defaults have different hashes")


def _record_is_complete(plugin: Plugin) -> None:
    documentation = vars(class_of(plugin)).get("__doc__") or ""
    require(not documentation.startswith(f"{class_of(plugin).__name__}("), "the class has no docstring")
    record = plugin.record
    require(record.summary.endswith((".", "…")), "the docstring does not begin with a summary that ends with a stop")
    missing = [key for key in ("Source", "Needs", "Relations") if not record.fields.get(key)]
    require(not missing, f"the docstring lacks {', '.join(missing)}")
    nothing = record.fields["Needs"].lower().startswith("nothing")
    needs = class_of(plugin).needs
    require(nothing != bool(needs), f"the docstring says 'Needs: {record.fields['Needs']}', needs is {sorted(needs)}")
    documented = not plugin.file or bool(inspect.getdoc(inspect.getmodule(class_of(plugin))))
    require(documented, "the file's first line does not say what it is for")


def _light_import(plugin: Plugin) -> None:
    skip_unless(bool(plugin.file), _NO_FILE)
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(p for p in sys.path if p))
    # A package's modules may import each other relatively; a file that is dropped in stands alone.
    module = class_of(plugin).__module__ if plugin.origin == "entry point" else ""
    command = [sys.executable, "-c", _PROBE, inspect.getfile(class_of(plugin)), module]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=120)
    require(
        done.returncode == 0, f"importing it alone fails: {(done.stderr.strip().splitlines() or ['no message'])[-1]}"
    )
    heavy = sorted(set(HEAVY) & set(done.stdout.split()))
    require(not heavy, f"importing it brings {', '.join(heavy)}; import them inside functions")


def _default_construction(plugin: Plugin) -> None:
    strategy = class_of(plugin)()
    require(strategy == class_of(plugin)(), "two instances of the defaults are not equal")
    extra = sorted(strategy.required_needs() - strategy.needs)
    require(not extra, f"required_needs() goes beyond needs: {', '.join(extra)}")
    for alias, preset in class_of(plugin).aliases.items():
        sound = alias.isidentifier() and alias == alias.lower() and alias != plugin.name
        require(sound, f"alias '{alias}' is not another lower-case identifier")
        construct("strategy", alias, class_of(plugin), dict(preset))


def _recipe_round_trip(plugin: Plugin) -> None:
    cls = class_of(plugin)
    strategy = cls()
    parameters = strategy.parameters()
    fields = {f.name for f in dataclasses.fields(cls)}
    require(set(parameters) == fields, f"parameters() names {sorted(parameters)}, the fields are {sorted(fields)}")
    written = yaml.safe_dump(parameters)
    reread = construct("strategy", plugin.name, cls, yaml.safe_load(written))
    require(reread == strategy, f"reading the parameters back gives {reread}, not {strategy}")


LAWS = tuple(
    Law(name, "form", check, on_fixtures=False)
    for name, check in {
        "name is the file's stem": _name_is_file_stem,
        "is a frozen dataclass": _frozen_dataclass,
        "docstring record is complete": _record_is_complete,
        "import is light": _light_import,
        "default construction works": _default_construction,
        "recipe round trip gives an equal strategy": _recipe_round_trip,
    }.items()
)
