"""`lexigraft evaluators`: list, show, check, new."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from lexigraft.cli.options import Json
from lexigraft.cli.output import print_json
from lexigraft.cli.plugins.shared import Name, add_check_and_new, group, names, print_details, reader_facts, reader_text

if TYPE_CHECKING:
    from lexigraft.testing.law import Outcome

app = typer.Typer(no_args_is_help=True, help="The evaluators of models.", rich_markup_mode=None)


@app.command("list")
def list_(json: Json = False) -> None:
    """List every evaluator found, with its files and the kinds of models that it measures."""
    from lexigraft.api.plugins.evaluators import by_data, list_evaluators

    records = list_evaluators()
    if json:
        print_json([one.as_json() for one in records])
        return
    for heading, members in by_data(records).items():
        group(heading, {names(one): reader_text(one) for one in members})


@app.command()
def show(name: Name, json: Json = False) -> None:
    """Show one evaluator: what it measures, its files, its options."""
    from lexigraft.api.plugins.evaluators import evaluator_details

    shown = evaluator_details(name)
    better = {True: "lower is better", False: "higher is better"}[shown.summary.lower_is_better]
    facts = {**reader_facts(shown.summary, "--data"), "main figure": better}
    print_details(shown, json, facts if shown.summary.broken is None else None)


def _run_checks(name: str) -> Sequence[Outcome]:
    from lexigraft.api.plugins.evaluators import check_evaluator

    return check_evaluator(name)


add_check_and_new(app, "evaluator", "an evaluator", _run_checks)
