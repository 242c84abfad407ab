"""`lexigraft strategies`: list, show, check, new."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lexigraft.cli.options import Json
from lexigraft.cli.output import pairs, print_json, table

if TYPE_CHECKING:
    from lexigraft.api.catalog import StrategyRecord

app = typer.Typer(no_args_is_help=True, help="The initialisation strategies.", rich_markup_mode=None)
Name = Annotated[str, typer.Argument(help="The strategy's name.")]


@app.command("list")
def list_(
    have: Annotated[
        str | None, typer.Option(help="What you have, such as corpus,dictionary: which strategies can run?")
    ] = None,
    json: Json = False,
) -> None:
    """List every strategy found, by what it needs."""
    from lexigraft.api.catalog import by_needs, list_strategies, missing

    words = None if have is None else [word.strip() for word in have.split(",") if word.strip()]
    records = list_strategies(words)
    if json:
        print_json([one.as_json() for one in records])
        return
    for heading, members in by_needs([one for one in records if one.usable is not False or one.broken]).items():
        _group(heading, {_names(one): f"BROKEN: {one.broken}" if one.broken else one.summary for one in members})
    if words is not None and (others := [one for one in records if not one.usable and one.broken is None]):
        _group("would need more", {_names(one): missing(one, words) for one in others})


def _names(one: StrategyRecord) -> str:
    also = ", ".join(one.aliases)
    return f"{one.name} ({also})" if also else one.name


def _group(heading: str, members: Mapping[str, str]) -> None:
    typer.secho(heading, bold=sys.stdout.isatty())
    pairs({f"  {name}": line for name, line in members.items()})
    typer.echo("")


@app.command()
def show(name: Name, json: Json = False) -> None:
    """Show one strategy: what it does, what it needs, its fields."""
    from lexigraft.api.catalog import details

    shown = details(name)
    if json:
        print_json(shown.as_json())
        return
    typer.echo(shown.documentation)
    typer.echo("")
    for alias, preset in shown.summary.aliases.items():
        fields = ", ".join(f"{key}={value}" for key, value in preset.items())
        typer.echo(f"{alias}: {shown.summary.name} with {fields or 'its defaults'}")
    table(("field", "type", "default"), [[f.name, f.type, f.default] for f in shown.fields])


@app.command()
def check(name: Name, json: Json = False) -> None:
    """Run every law of the contract on a strategy."""
    from lexigraft.api.catalog import check as run

    outcomes = run(name)
    count = {kind: sum(o.outcome == kind for o in outcomes) for kind in ("passed", "failed", "not applicable")}
    failed = [o for o in outcomes if o.outcome == "failed"]
    if json:
        counts = {"passed": count["passed"], "not_applicable": count["not applicable"]}
        print_json({"strategy": name, **counts, "failed": [asdict(o) for o in failed]})
    else:
        for outcome in failed:
            typer.echo(f"failed: {outcome.law} on {outcome.fixture}: {outcome.reason}")
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
    from lexigraft.api.scaffold import new_strategy

    path = new_strategy(name, folder)
    if json:
        print_json({"file": str(path), "environment": f"LEXIGRAFT_PLUGINS={folder}"})
    else:
        typer.echo(f"Wrote {path}. Try it: LEXIGRAFT_PLUGINS={folder} lexigraft strategies check {name}")
