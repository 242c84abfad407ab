"""Recipe for another machine, with that machine's paths and without a store of runs that is this one's."""

from __future__ import annotations

import glob
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from lexigraft.core.config.base import Settings
from lexigraft.core.config.recipe_files import dump_recipe
from lexigraft.core.remote.launcher import Launcher
from lexigraft.core.utils.files import write_whole

REMOTE_RECIPE = "recipe.yaml"
_SERVICES = ("databricks", "databricks-uc", "uc")
"""Stores that MLflow knows by a bare name."""
_PATTERN = re.compile(r"[*?\[]")


def write_remote_recipe(recipe: Settings, launcher: Launcher, folder: Path) -> tuple[Path, list[Path]]:
    """Write the recipe for the jobs, overrides included and without the passwords of its addresses.

    Args:
        recipe: The recipe, with this machine's paths, which are absolute.
        launcher: The launcher, which knows the paths of the jobs' machine.
        folder: Where to write it.

    Returns:
        The file, and this machine's files and folders that it names.
    """
    inputs: dict[Path, None] = {}
    text = dump_recipe(recipe)
    if not launcher.shares_files:
        values = yaml.safe_load(text)
        if is_of_this_machine(str(values.get("tracking", {}).get("uri", ""))):
            values.get("tracking", {}).pop("uri", None)
        moved = _moved(values, launcher, inputs)
        text = yaml.safe_dump(moved, sort_keys=False, allow_unicode=True)
    path = folder / REMOTE_RECIPE
    write_whole(path, text)
    return path, list(inputs)


def is_of_this_machine(store: str) -> bool:
    """Whether an MLflow store is files of this machine, which other machines cannot log to."""
    scheme = urlsplit(store).scheme
    return scheme in ("file", "sqlite") or (not scheme and store not in _SERVICES)


def _moved(value: Any, launcher: Launcher, inputs: dict[Path, None]) -> Any:
    """A value of the recipe with every path that exists here replaced; the paths are added to ``inputs``."""
    if isinstance(value, dict):
        return {key: _moved(inner, launcher, inputs) for key, inner in value.items()}
    if isinstance(value, list):
        return [_moved(one, launcher, inputs) for inner in value for one in _files(inner)]
    if not isinstance(value, str) or not value.startswith("/") or "\0" in value:
        return value
    file, mark, language = value.rpartition("#")  # one language out of a file of word vectors
    path, rest = (file, mark + language) if mark and Path(file).is_file() else (value, "")
    found = sorted(glob.glob(path, recursive=True)) if _PATTERN.search(path) else [path]
    there = [Path(one) for one in found if Path(one).exists()]
    inputs |= dict.fromkeys(there)
    return launcher.there(Path(path)) + rest if there else value


def _files(value: Any) -> list[Any]:
    """The files that a pattern in a list stands for here; on the other machine, others may lie beside them."""
    if not isinstance(value, str) or not value.startswith("/") or "\0" in value or not _PATTERN.search(value):
        return [value]
    found = [] if Path(value).exists() else sorted(Path(p) for p in glob.glob(value, recursive=True))
    return [str(path) for path in found if path.is_file()] or [value]
