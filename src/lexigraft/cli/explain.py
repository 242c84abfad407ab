"""`lexigraft explain`: which source tokens made a row."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lexigraft.cli.output import Json, print_json


def explain(
    folder: Annotated[Path, typer.Argument(help="A folder that graft wrote.")],
    token: Annotated[str, typer.Option(help="The token: as in the vocabulary, or as text.")],
    top: Annotated[int, typer.Option(help="Source tokens to show.")] = 10,
    json: Json = False,
) -> None:
    """Show which source tokens made a token's row, with weights."""
    from lexigraft.api.explain import explain as run

    found = run(folder, token, top=top)
    if json:
        print_json(found)
        return
    for row in found:
        typer.echo(f"{row['token']}  (id {row['target_id']})  made by: {row['rule']}")
        for piece in row["sources"]:
            typer.echo(f"  {piece['weight']:7.4f}  {piece['token']}  (id {piece['source_id']})")
        if row["more"]:
            typer.echo(f"  … and {row['more']} more")
