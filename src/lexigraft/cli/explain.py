"""`lexigraft explain`: the source tokens and weights behind a token's row."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lexigraft.cli.options import Json
from lexigraft.cli.output import print_json


def explain(
    folder: Annotated[Path, typer.Argument(help="A folder that graft wrote.")],
    token: Annotated[str, typer.Option(help="The token: as in the vocabulary, or as text.")],
    top: Annotated[int, typer.Option(help="Source tokens to show.")] = 10,
    json: Json = False,
) -> None:
    """Show which source tokens made a token's row, with weights."""
    from lexigraft.api.explain import explain as run

    explanations = run(folder, token, top=top)
    if json:
        print_json([explanation.as_json() for explanation in explanations])
        return
    for explanation in explanations:
        typer.echo(f"{explanation.token}  (id {explanation.target_id})  made by: {explanation.rule}")
        for source in explanation.sources:
            typer.echo(f"  {source.weight:7.4f}  {source.token}  (id {source.source_id})")
        if explanation.more:
            typer.echo(f"  … and {explanation.more} more")
