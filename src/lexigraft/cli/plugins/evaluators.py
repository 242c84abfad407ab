"""`lexigraft evaluators`: list, show, check, new."""

from __future__ import annotations

import typer

from lexigraft.cli.options import Json
from lexigraft.cli.plugins.shared import Name, add_check_and_new, print_details, print_list, reader_facts, reader_text

app = typer.Typer(no_args_is_help=True, help="The evaluators of models.", rich_markup_mode=None)


@app.command("list")
def list_(json: Json = False) -> None:
    """List every evaluator found, with its files and the kinds of models that it measures."""
    from lexigraft.api.plugins.catalog import list_plugins
    from lexigraft.api.plugins.evaluators import EvaluatorRecord, by_data

    records = list_plugins(EvaluatorRecord)
    print_list(records, by_data(records), json, reader_text)


@app.command()
def show(name: Name, json: Json = False) -> None:
    """Show one evaluator: what it measures, its files, its options."""
    from lexigraft.api.plugins.catalog import plugin_details
    from lexigraft.api.plugins.evaluators import EvaluatorRecord

    shown = plugin_details(EvaluatorRecord, name)
    better = {True: "lower is better", False: "higher is better"}[shown.summary.lower_is_better]
    print_details(shown, json, {**reader_facts(shown.summary, "--data"), "main figure": better})


add_check_and_new(app, "evaluator", "an evaluator")
