"""`lexigraft evaluators`: list, show, check, new."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from lexigraft.cli.options import Json
from lexigraft.cli.output import print_json
from lexigraft.cli.plugins.shared import Name, add_check_and_new, group, names, print_details

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


def _run_checks(name: str) -> Sequence[Outcome]:
    from lexigraft.api.plugins.evaluators import check_evaluator

    return check_evaluator(name)


add_check_and_new(app, "evaluator", "an evaluator", _run_checks)
