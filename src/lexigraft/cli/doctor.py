"""`lexigraft doctor`: what this machine has, and what a recipe would stumble over, before any weight loads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lexigraft.cli.output import Json, print_json


def doctor(
    recipe: Annotated[Path | None, typer.Argument(help="A recipe to look through.")] = None,
    json: Json = False,
) -> None:
    """Check versions, device, plug-ins and, with a recipe, its files, tokenizers, needs and sizes."""
    from lexigraft.api.examining import examine

    found = examine(recipe)
    if json:
        print_json(found.as_json())
    else:
        for finding in found.findings:
            typer.echo(f"{finding.mark} {finding.what}")
    if not found.healthy:
        raise typer.Exit(2)
