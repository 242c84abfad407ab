"""`lexigraft corpus`: cleaning and figures of text, annotated text; one file for each command."""

from __future__ import annotations

import typer

from lexigraft.cli.corpus import clean, link, show, stats, wikipedia

app = typer.Typer(no_args_is_help=True, help="Clean and count text, annotate it, look at it.", rich_markup_mode=None)
app.command("clean")(clean.clean)
app.command("stats")(stats.stats)
app.command("wikipedia")(wikipedia.wikipedia)
app.command("link")(link.link)
app.command("show")(show.show)
