"""`lexigraft augmenters`: list, show, check, new."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lexigraft.cli.options import Json
from lexigraft.cli.output import print_json
from lexigraft.cli.plugins import group, names, print_details, print_outcomes, print_written

app = typer.Typer(no_args_is_help=True, help="The augmenters of training text.", rich_markup_mode=None)
Name = Annotated[str, typer.Argument(help="The augmenter's name.")]


@app.command("list")
def list_(json: Json = False) -> None:
    """List every augmenter found, with where it changes text."""
    from lexigraft.api.plugins.augmenters import list_augmenters

    records = list_augmenters()
    if json:
        print_json([one.as_json() for one in records])
        return
    for heading in sorted({one.edits_at or "broken" for one in records}):
        members = [one for one in records if (one.edits_at or "broken") == heading]
        lines = {names(one): f"BROKEN: {one.broken}" if one.broken else one.summary for one in members}
        group(heading if heading == "broken" else f"change text at {heading}", lines)


@app.command()
def show(name: Name, json: Json = False) -> None:
    """Show one augmenter: what it does, where it comes from, its options."""
    from lexigraft.api.plugins.augmenters import augmenter_details

    shown = augmenter_details(name)
    print_details(shown, json, {"changes text at": shown.summary.edits_at} if shown.summary.broken is None else None)


@app.command()
def check(name: Name, json: Json = False) -> None:
    """Run every law of the contract on an augmenter."""
    from lexigraft.api.plugins.augmenters import check_augmenter

    print_outcomes("augmenter", name, check_augmenter(name), json)


@app.command()
def new(
    name: Name,
    folder: Annotated[Path, typer.Option(help="Where the file goes.")] = Path("lexigraft_plugins"),
    json: Json = False,
) -> None:
    """Write a new augmenter's file, ready to edit."""
    from lexigraft.api.plugins.scaffold import new_plugin

    print_written("augmenters", name, new_plugin("augmenter", name, folder), folder, json)
