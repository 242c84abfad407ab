"""Launcher of a backend configuration, by its name and the fields that a YAML or JSON file gives it."""

from __future__ import annotations

from pathlib import Path

from lexigraft.core.config.yaml_text import read_yaml
from lexigraft.core.errors import LexigraftError
from lexigraft.core.registry import make
from lexigraft.core.remote.launcher import Launcher


def read_backend(name: str, config: Path | None = None) -> Launcher:
    """A launcher, configured by a file whose keys are its fields.

    Args:
        name: The launcher's name.
        config: The file; None for the launcher's defaults.

    Raises:
        UnknownName: No launcher has this name, or it has no field of a key; with the closest one.
        LexigraftError: The file cannot be read, or holds a value that the field cannot take.
    """
    launcher: Launcher = make("launcher", name, backend_values(config))
    return launcher


def backend_values(config: Path | None) -> dict[str, object]:
    """The keys and values of a backend configuration; none without a file.

    Raises:
        LexigraftError: The file cannot be read, or is no mapping of keys.
    """
    if config is None:
        return {}
    hint = "Give a YAML or JSON file of keys and values"
    try:
        values = read_yaml(config.read_text(encoding="utf-8"), config)
    except FileNotFoundError:
        raise LexigraftError("backend configuration not found", config, hint) from None
    except (OSError, UnicodeDecodeError) as error:
        raise LexigraftError("backend configuration cannot be read", config, str(error)) from None
    if values is not None and not isinstance(values, dict):
        raise LexigraftError("backend configuration must be a mapping of keys", config, hint)
    return {str(key): value for key, value in (values or {}).items()}
