"""`lexigraft objectives`: list, show, check, new."""

from __future__ import annotations

import typer

from lexigraft.cli.options import Json
from lexigraft.cli.plugins.shared import Name, add_check_and_new, print_details, print_list, reader_facts, reader_text

app = typer.Typer(no_args_is_help=True, help="The training objectives.", rich_markup_mode=None)


@app.command("list")
def list_(json: Json = False) -> None:
    """List every objective found, with its files and the kinds of models that it trains."""
    from lexigraft.api.plugins.catalog import list_plugins
    from lexigraft.api.plugins.objectives import ObjectiveRecord, by_use

    records = list_plugins(ObjectiveRecord)
    print_list(records, by_use(records), json, reader_text)


@app.command()
def show(name: Name, json: Json = False) -> None:
    """Show one objective: what it minimizes, its files, its options."""
    from lexigraft.api.plugins.catalog import plugin_details
    from lexigraft.api.plugins.objectives import ObjectiveRecord

    shown = plugin_details(ObjectiveRecord, name)
    layout = {True: "laid out by the objective", False: "packed as adaptation.documents says"}
    text = "annotated" if shown.summary.annotated else layout[shown.summary.lays_out]
    print_details(shown, json, {**reader_facts(shown.summary, "--objective-file"), "training text": text})


add_check_and_new(app, "objective", "an objective")
