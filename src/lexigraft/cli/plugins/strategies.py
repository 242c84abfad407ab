"""`lexigraft strategies`: list, show, check, new."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from lexigraft.cli.options import Json
from lexigraft.cli.output import print_json
from lexigraft.cli.plugins.shared import Name, add_check_and_new, group, names, print_details

if TYPE_CHECKING:
    from lexigraft.testing.law import Outcome

app = typer.Typer(no_args_is_help=True, help="The initialisation strategies.", rich_markup_mode=None)


@app.command("list")
def list_(
    have: Annotated[
        str | None, typer.Option(help="What you have, such as corpus,dictionary: which strategies can run?")
    ] = None,
    json: Json = False,
) -> None:
    """List every strategy found, by what it needs."""
    from lexigraft.api.plugins.strategies import by_needs, list_strategies, missing

    words = None if have is None else [word.strip() for word in have.split(",") if word.strip()]
    records = list_strategies(words)
    if json:
        print_json([one.as_json() for one in records])
        return
    for heading, members in by_needs([one for one in records if one.usable is not False or one.broken]).items():
        group(heading, {names(one): f"BROKEN: {one.broken}" if one.broken else one.summary for one in members})
    if words is not None and (others := [one for one in records if not one.usable and one.broken is None]):
        group("would need more", {names(one): missing(one, words) for one in others})


@app.command()
def show(name: Name, json: Json = False) -> None:
    """Show one strategy: what it does, what it needs, its fields."""
    from lexigraft.api.plugins.strategies import details

    print_details(details(name), json)


def _run_checks(name: str) -> Sequence[Outcome]:
    from lexigraft.api.plugins.strategies import check

    return check(name)


add_check_and_new(app, "strategy", "a strategy", _run_checks)
