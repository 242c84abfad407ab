"""`lexigraft augmenters`: list, show, check, new."""

from __future__ import annotations

import typer

from lexigraft.cli.options import Json
from lexigraft.cli.plugins.shared import Name, add_check_and_new, print_details, print_list

app = typer.Typer(no_args_is_help=True, help="The augmenters of training text.", rich_markup_mode=None)


@app.command("list")
def list_(json: Json = False) -> None:
    """List every augmenter found, with where it changes text."""
    from lexigraft.api.plugins.augmenters import AugmenterRecord, by_place
    from lexigraft.api.plugins.catalog import list_plugins

    records = list_plugins(AugmenterRecord)
    print_list(records, by_place(records), json)


@app.command()
def show(name: Name, json: Json = False) -> None:
    """Show one augmenter: what it does, where it comes from, its options."""
    from lexigraft.api.plugins.augmenters import AugmenterRecord
    from lexigraft.api.plugins.catalog import plugin_details

    shown = plugin_details(AugmenterRecord, name)
    print_details(shown, json, {"changes text at": shown.summary.edits_at})


add_check_and_new(app, "augmenter", "an augmenter")
