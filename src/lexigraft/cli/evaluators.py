"""`lexigraft evaluators`: list, show, check, new."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lexigraft.cli.options import Json
from lexigraft.cli.output import print_json
from lexigraft.cli.plugins import group, names, print_details, print_outcomes, print_written

if TYPE_CHECKING:
    pass

app = typer.Typer(no_args_is_help=True, help="The evaluators of models.", rich_markup_mode=None)
Name = Annotated[str, typer.Argument(help="The evaluator's name.")]


@app.command("list")
def list_(json: Json = False) -> None:
    """List every evaluator found, with its files and the kinds of models that it measures."""
    from lexigraft.api.plugins.evaluators import by_data, list_evaluators

    records = list_evaluators()
    if json:
        print_json([one.as_json() for one in records])
        return
    for heading, members in by_data(records).items():
        lines = (
            (names(one), f"BROKEN: {one.broken}" if one.broken else f"{one.summary}\n{one.reads}") for one in members
        )
        group(heading, dict(lines))


@app.command()
def show(name: Name, json: Json = False) -> None:
    """Show one evaluator: what it measures, its files, its options."""
    from lexigraft.api.plugins.evaluators import evaluator_details

    shown = evaluator_details(name)
    optional = {True: "", False: " (may be left out)"}
    files = {f"--data {key}=": f"{file.holds}{optional[file.required]}" for key, file in shown.summary.files.items()}
    better = {True: "lower is better", False: "higher is better"}[shown.summary.lower_is_better]
    working = shown.summary.broken is None
    facts = {**files, "models": ", ".join(shown.summary.kinds), "main figure": better}
    print_details(shown, json, facts if working else None)


@app.command()
def check(name: Name, json: Json = False) -> None:
    """Run every law of the contract on an evaluator."""
    from lexigraft.api.plugins.evaluators import check_evaluator

    print_outcomes("evaluator", name, check_evaluator(name), json)


@app.command()
def new(
    name: Name,
    folder: Annotated[Path, typer.Option(help="Where the file goes.")] = Path("lexigraft_plugins"),
    json: Json = False,
) -> None:
    """Write a new evaluator's file, ready to edit."""
    from lexigraft.api.plugins.scaffold import new_evaluator

    print_written("evaluators", name, new_evaluator(name, folder), folder, json)
