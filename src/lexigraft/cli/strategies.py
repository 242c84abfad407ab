"""`lexigraft strategies`: list, show, check, new."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lexigraft.cli.output import Json, print_json, table

app = typer.Typer(no_args_is_help=True, help="The initialisation strategies.", rich_markup_mode=None)
Name = Annotated[str, typer.Argument(help="The strategy's name.")]


@app.command("list")
def list_(json: Json = False) -> None:
    """List every strategy found."""
    from lexigraft.api.listing import strategies

    found = strategies()
    if json:
        print_json(found)
        return
    rows = [
        [
            s["name"],
            ", ".join(s.get("needs", [])) or "-",
            s.get("body", ""),
            s["summary"] or f"BROKEN: {s.get('broken')}",
        ]
        for s in found
    ]
    table(("strategy", "needs", "body", "what it does"), rows)


@app.command()
def show(name: Name, json: Json = False) -> None:
    """Show one strategy: what it does, what it needs, its fields."""
    from lexigraft.api.listing import details

    found = details(name)
    if json:
        print_json(found)
        return
    typer.echo(found["documentation"])
    typer.echo("")
    table(("field", "type", "default"), [[f["name"], f["type"], f["default"]] for f in found["fields"]])


@app.command()
def check(name: Name, json: Json = False) -> None:
    """Run every law of the contract on a strategy."""
    from lexigraft.api.checking import check as run

    outcomes = run(name)
    count = {kind: sum(o["outcome"] == kind for o in outcomes) for kind in ("passed", "failed", "not applicable")}
    failed = [o for o in outcomes if o["outcome"] == "failed"]
    if json:
        found = {"passed": count["passed"], "not_applicable": count["not applicable"], "failed": failed}
        print_json({"strategy": name, **found})
    else:
        for outcome in failed:
            typer.echo(f"failed: {outcome['law']} on {outcome['fixture']}: {outcome['reason']}")
        typer.echo(f"{name}: " + ", ".join(f"{n} {kind}" for kind, n in count.items()))
    if failed:
        raise typer.Exit(1)


@app.command()
def new(
    name: Name,
    folder: Annotated[Path, typer.Option(help="Where the file goes.")] = Path("lexigraft_plugins"),
    json: Json = False,
) -> None:
    """Write a new strategy's file, ready to edit."""
    from lexigraft.api.scaffolding import new_strategy

    path = new_strategy(name, folder)
    if json:
        print_json({"file": str(path), "environment": f"LEXIGRAFT_PLUGINS={folder}"})
    else:
        typer.echo(f"Wrote {path}. Try it: LEXIGRAFT_PLUGINS={folder} lexigraft strategies check {name}")
