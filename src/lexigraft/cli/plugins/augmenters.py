"""`lexigraft augmenters`: list, show, check, new."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from lexigraft.cli.options import Json
from lexigraft.cli.output import print_json
from lexigraft.cli.plugins.shared import Name, add_check_and_new, group, names, print_details

if TYPE_CHECKING:
    from lexigraft.testing.law import Outcome

app = typer.Typer(no_args_is_help=True, help="The augmenters of training text.", rich_markup_mode=None)


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


def _run_checks(name: str) -> Sequence[Outcome]:
    from lexigraft.api.plugins.augmenters import check_augmenter

    return check_augmenter(name)


add_check_and_new(app, "augmenter", "an augmenter", _run_checks)
