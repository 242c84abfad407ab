"""What the commands `strategies`, `objectives`, `evaluators` and `augmenters` share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lexigraft.cli.options import Json
from lexigraft.cli.output import pairs, print_json, table

if TYPE_CHECKING:
    from lexigraft.api.plugins.records import PluginDetails, PluginRecord, ReaderRecord, Record
    from lexigraft.testing.law import Outcome

Name = Annotated[str, typer.Argument(help="Its name.")]
Folder = Annotated[Path, typer.Option(help="Where the file goes.")]


def add_check_and_new(app: typer.Typer, kind: str, one: str) -> None:
    """Add the commands `check` and `new`.

    Args:
        app: The command group.
        kind: The kind of plug-in.
        one: The kind with its article.
    """

    @app.command(help=f"Run every law of the contract on {one}.")
    def check(name: Name, json: Json = False) -> None:
        from lexigraft.api.plugins.catalog import check_plugin

        _print_outcomes(kind, name, check_plugin(kind, name), json)

    @app.command(help=f"Write a new {kind}'s file, ready to edit.")
    def new(name: Name, folder: Folder = Path("lexigraft_plugins"), json: Json = False) -> None:
        from lexigraft.api.plugins.scaffold import new_plugin

        path = new_plugin(kind, name, folder)
        if json:
            print_json({"file": str(path), "environment": f"LEXIGRAFT_PLUGINS={folder}"})
        else:
            typer.echo(f"Wrote {path}. Try it: LEXIGRAFT_PLUGINS={folder} lexigraft {path.parent.name} check {name}")


def print_list(
    records: Sequence[Record],
    groups: Mapping[str, Sequence[Record]],
    json: bool,
    text: Callable[[Record], str] = lambda one: one.summary,
) -> None:
    """Print plug-ins.

    Args:
        records: Their entries, as JSON has them.
        groups: The entries under headings, as the terminal has them.
        json: Whether to print JSON.
        text: What stands beside the name of a plug-in that works.
    """
    if json:
        print_json([one.as_json() for one in records])
        return
    for heading, members in groups.items():
        group(heading, {names(one): f"BROKEN: {one.broken}" if one.broken else text(one) for one in members})


def names(one: PluginRecord) -> str:
    """A plug-in's name with its other names."""
    also = ", ".join(one.aliases)
    return f"{one.name} ({also})" if also else one.name


def reader_text(one: ReaderRecord) -> str:
    """What a plug-in does and reads, for a list."""
    return f"{one.summary}\n{one.reads}"


def reader_facts(one: ReaderRecord, option: str) -> dict[str, str]:
    """What a plug-in reads, by the option that names the files, and the kinds of models that it is for."""
    optional = {True: "", False: " (may be left out)"}
    files = {f"{option} {key}=": f"{file.holds}{optional[file.required]}" for key, file in one.files.items()}
    return {**files, "models": ", ".join(one.kinds)}


def group(heading: str, members: Mapping[str, str]) -> None:
    """Print plug-ins under a heading, each with one or more lines of text."""
    typer.secho(heading, bold=sys.stdout.isatty())
    margin = "\n" + " " * (4 + max(map(len, members), default=0))
    pairs({f"  {name}": lines.replace("\n", margin) for name, lines in members.items()})
    typer.echo("")


def print_details(shown: PluginDetails[Any], json: bool, facts: Mapping[str, str] | None = None) -> None:
    """Print one plug-in: its docstring, further facts unless it is broken, its other names, its fields."""
    if json:
        print_json(shown.as_json())
        return
    typer.echo(shown.documentation)
    typer.echo("")
    if facts and shown.summary.broken is None:
        pairs(facts)
        typer.echo("")
    for alias, preset in shown.summary.aliases.items():
        fields = ", ".join(f"{key}={value}" for key, value in preset.items())
        typer.echo(f"{alias}: {shown.summary.name} with {fields or 'its defaults'}")
    table(("field", "type", "default"), [[f.name, f.type, f.default] for f in shown.fields])


def _print_outcomes(kind: str, name: str, outcomes: Sequence[Outcome], json: bool) -> None:
    """Print the outcomes of the contract's laws; exit code 1 where one is broken."""
    count = {each: sum(o.outcome == each for o in outcomes) for each in ("passed", "failed", "not applicable")}
    failed = [o for o in outcomes if o.outcome == "failed"]
    if json:
        counts = {"passed": count["passed"], "not_applicable": count["not applicable"]}
        print_json({kind: name, **counts, "failed": [asdict(o) for o in failed]})
    else:
        for outcome in failed:
            typer.echo(f"failed: {outcome.law} on {outcome.fixture}: {outcome.reason}")
        typer.echo(f"{name}: " + ", ".join(f"{n} {each}" for each, n in count.items()))
    if failed:
        raise typer.Exit(1)
