"""`lexigraft doctor`: checks of this machine and of a recipe, and an estimate of its cost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lexigraft.cli.options import Json
from lexigraft.cli.output import print_json
from lexigraft.core.errors import LexigraftError


def doctor(
    recipe: Annotated[Path | None, typer.Argument(help="A recipe to look through, or a suite of them.")] = None,
    rehearse: Annotated[
        bool,
        typer.Option("--rehearse", help="Do each step of the recipe a few times, and tell what it will take in all."),
    ] = False,
    pilot: Annotated[
        Path | None, typer.Option(help="An earlier comparison: how many seeds and lines would tell a difference.")
    ] = None,
    tflops: Annotated[
        float | None,
        typer.Option(min=0.001, help="TFLOP/s that a GPU keeps up: what the recipe's training will take on it."),
    ] = None,
    json: Json = False,
) -> None:
    """Check versions, device, plug-ins and, with a recipe, its files, tokenizers, needs and sizes."""
    from lexigraft.api.doctor.examine import examine

    if rehearse and recipe is None:
        raise LexigraftError("there is nothing to rehearse", hint="Name a recipe: lexigraft doctor RECIPE --rehearse")
    if pilot is not None and recipe is None:
        raise LexigraftError("a pilot is for a recipe", pilot, "Name one: lexigraft doctor RECIPE --pilot DIR")
    if tflops is not None and recipe is None:
        raise LexigraftError("there is nothing to count", tflops, "Name a recipe: lexigraft doctor RECIPE --tflops N")
    examined = examine(recipe, rehearse=rehearse, pilot=pilot, teraflops=tflops)
    if json:
        print_json(examined.as_json())
    else:
        for finding in examined.findings:
            typer.echo(f"{finding.mark} {finding.what}")
    if not examined.healthy:
        raise typer.Exit(2)
