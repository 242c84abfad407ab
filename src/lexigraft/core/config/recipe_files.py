"""Recipe files, read and written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lexigraft.core.config.base import S, Settings, validate
from lexigraft.core.config.recipe import CompareSettings
from lexigraft.core.config.strategy_entries import StrategySettings
from lexigraft.core.config.suite import SuiteRecipe, SuiteSettings
from lexigraft.core.config.transfer_recipe import TransferSettings
from lexigraft.core.config.yaml_text import read_yaml
from lexigraft.core.errors import LexigraftError
from lexigraft.core.utils.lfs import refuse_pointers
from lexigraft.core.utils.secrets import MASK, masked_uris


def read_recipe(path: Path, overrides: Mapping[str, Any] | None = None) -> CompareSettings:
    """Read the recipe of a comparison; see :func:`read_settings`."""
    return read_settings(path, CompareSettings, overrides)


def read_study_recipe(path: Path, overrides: Mapping[str, Any] | None = None) -> CompareSettings | TransferSettings:
    """Read the recipe of a comparison, or of a transfer study if it names donors; see :func:`read_settings`."""
    values = _read(path, overrides)
    if "donors" in values:
        return _validated(values, TransferSettings, path)
    return _validated(values, CompareSettings, path)


def recipes_in(path: Path) -> list[SuiteRecipe]:
    """The recipes that a benchmark suite lists; any other file is its own only one."""
    values = _read(path, None)
    if "recipes" not in values:
        return [SuiteRecipe(path=str(path))]
    return _validated(values, SuiteSettings, path).recipes


def read_settings(path: Path, kind: type[S], overrides: Mapping[str, Any] | None = None) -> S:
    """Read a YAML recipe; relative paths in it start from the recipe's folder, ``$NAME`` is taken from the environment.

    Args:
        path: The recipe file.
        kind: What the recipe describes.
        overrides: Dotted keys with values that replace the file's.

    Raises:
        LexigraftError: The file is missing, is not YAML, or holds an unknown key or an impossible value.
    """
    return _validated(_read(path, overrides), kind, path)


def _read(path: Path, overrides: Mapping[str, Any] | None) -> dict[str, Any]:
    if path.exists() and not path.is_file():
        raise LexigraftError("recipe is not a file", path, "Give the path of a YAML recipe")
    refuse_pointers([path])
    try:
        values = read_yaml(path.read_text(encoding="utf-8"), path)
    except FileNotFoundError:
        raise LexigraftError("recipe not found", path, "Give the path of a YAML recipe") from None
    except OSError as error:
        raise LexigraftError("recipe cannot be read", path, error.strerror or str(error)) from None
    except UnicodeDecodeError as error:
        raise LexigraftError("recipe is not readable YAML", path, masked_uris(str(error))) from None
    if not isinstance(values, dict):
        raise LexigraftError("recipe must be a mapping of keys", path, "See examples/ for complete recipes")
    for key, value in (overrides or {}).items():
        _assign(values, key, value)
    return values


def _validated(values: dict[str, Any], kind: type[S], path: Path) -> S:
    return validate(kind, _resolve(values, path.resolve().parent), f"recipe {path.name}")


def _assign(values: dict[str, Any], dotted: str, value: object) -> None:
    *parents, last = dotted.split(".")
    for part in parents:
        inner = values.setdefault(part, {})
        if not isinstance(inner, dict):
            raise LexigraftError("this key holds a value, not a group", dotted, f"'{part}' cannot take '{last}'")
        values = inner
    values[last] = value


_PATH_KEYS = {
    "source", "target", "target_tokenizer", "poor_model", "donor", "gold_links", "train", "heldout", "source_heldout",
    "source_train", "recipes", "path", "pivot", "file", "extend_tokenizer", "tokenizer", "typology",
}  # fmt: skip


def _resolve(value: Any, base: Path, key: str = "") -> Any:
    """Make paths absolute: a value under a path key that exists beside the recipe, or that looks like a local path."""
    if isinstance(value, dict):
        return {k: _resolve(v, base, _meaning(str(k), key)) for k, v in value.items()}
    if isinstance(value, list):
        return [_resolve(v, base, key) for v in value]
    if isinstance(value, str) and "\0" in value:
        raise LexigraftError("recipe holds a NUL character", ascii(value)[:80], f"Write another {key or 'value'}")
    if isinstance(value, str) and key in _PATH_KEYS:
        value = os.path.expandvars(value)
        if "$" in value:
            raise LexigraftError(
                "recipe names an environment variable that is not set", value, "Set it, or write the path"
            )
        # os.path, because pathlib raises for names that are too long, links that lead in circles and unknown users.
        local = base / os.path.expanduser(value)
        if value.startswith((".", "/", "~")) or os.path.exists(local) or _one_language(local):
            return os.path.realpath(local) if not any(c in value for c in "*?[") else str(local)
    return value


def _meaning(key: str, parent: str) -> str:
    """The key whose values are resolved as this key's are: plug-ins of other packages may name their files freely."""
    if parent in ("also_heldout", "texts"):
        return "heldout"
    if parent == "path":  # of an evaluator: what each of its files holds
        return parent
    return "path" if key.endswith(("_path", "_paths", "_file", "_files")) or key in ("paths", "files") else key


def _one_language(path: Path) -> bool:
    """Whether this is ``FILE#eng``: one language out of a file of word vectors."""
    file, mark, _ = str(path).rpartition("#")
    return bool(mark) and os.path.isfile(file)


_MASKED = f"# {MASK} stands for a password or a token; the recipe that this was made from has it.\n"


def dump_recipe(recipe: Settings) -> str:
    """The recipe as YAML that reads back to the same settings, with passwords and tokens in URIs masked."""
    values = recipe.model_dump(mode="json", exclude_defaults=True)
    if isinstance(recipe, CompareSettings):
        values["strategies"] = [_dumped_strategy(entry) for entry in recipe.strategies]
    if isinstance(recipe, TransferSettings) and recipe.graft is not None:
        values["graft"]["strategy"] = _dumped_strategy(recipe.graft.strategy)
    shown = masked_uris(values)
    note = "" if shown == values else _MASKED
    return note + yaml.safe_dump(shown, sort_keys=False, allow_unicode=True)


def _dumped_strategy(entry: StrategySettings) -> dict[str, Any]:
    calibration = {"norm_calibration": entry.norm_calibration} if entry.norm_calibration else {}
    return {"label": entry.label, "chain": [{"name": n, **f} for n, f in entry.chain]} | calibration
