"""`lexigraft doctor` from Python: what this machine has, and what a recipe would stumble over."""

from __future__ import annotations

from pathlib import Path

from lexigraft.api.examining_machine import look_at_machine
from lexigraft.api.examining_recipe import look_at_recipe
from lexigraft.api.findings import Examined, Notebook


def examine(recipe: str | Path | None = None) -> Examined:
    """Look at the machine and, if one is given, at a recipe with everything it names; no weight is loaded.

    Args:
        recipe: A recipe file.

    Returns:
        What was found, problems included; nothing is raised for a user's mistake.
    """
    notebook = Notebook()
    look_at_machine(notebook, Path.cwd())
    if recipe is not None:
        look_at_recipe(notebook, Path(recipe))
    return Examined(tuple(notebook.findings))
