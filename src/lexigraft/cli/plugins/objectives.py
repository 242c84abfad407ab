"""`lexigraft objectives`: list, show, check, new."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from lexigraft.cli.options import Json
from lexigraft.cli.output import print_json
from lexigraft.cli.plugins.shared import (
    Name,
    add_check_and_new,
    group,
    names,
    print_details,
    reader_facts,
    reader_text,
)

if TYPE_CHECKING:
    from lexigraft.testing.law import Outcome

app = typer.Typer(no_args_is_help=True, help="The training objectives.", rich_markup_mode=None)


@app.command("list")
def list_(json: Json = False) -> None:
    """List every objective found, with its files and the kinds of models that it trains."""
    from lexigraft.api.plugins.objectives import by_use, list_objectives

    records = list_objectives()
    if json:
        print_json([one.as_json() for one in records])
        return
    for heading, members in by_use(records).items():
        group(heading, {names(one): reader_text(one) for one in members})


@app.command()
def show(name: Name, json: Json = False) -> None:
    """Show one objective: what it minimizes, its files, its options."""
    from lexigraft.api.plugins.objectives import objective_details

    shown = objective_details(name)
    layout = {True: "laid out by the objective", False: "packed as adaptation.documents says"}
    text = "annotated" if shown.summary.annotated else layout[shown.summary.lays_out]
    facts = {**reader_facts(shown.summary, "--objective-file"), "training text": text}
    print_details(shown, json, facts if shown.summary.broken is None else None)


def _run_checks(name: str) -> Sequence[Outcome]:
    from lexigraft.api.plugins.objectives import check_objective

    return check_objective(name)


add_check_and_new(app, "objective", "an objective", _run_checks)
