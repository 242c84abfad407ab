"""`lexigraft strategies`: list, show, check, new."""

from __future__ import annotations

from typing import Annotated

import typer

from lexigraft.cli.options import Json
from lexigraft.cli.plugins.shared import Name, add_check_and_new, group, names, print_details, print_list

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
    print_list(records, by_needs([one for one in records if one.usable is not False or one.broken]), json)
    others = [one for one in records if one.usable is False and one.broken is None]
    if words is not None and others and not json:
        group("would need more", {names(one): missing(one, words) for one in others})


@app.command()
def show(name: Name, json: Json = False) -> None:
    """Show one strategy: what it does, what it needs, its fields."""
    from lexigraft.api.plugins.catalog import plugin_details
    from lexigraft.api.plugins.strategies import StrategyRecord

    print_details(plugin_details(StrategyRecord, name), json)


add_check_and_new(app, "strategy", "a strategy")
