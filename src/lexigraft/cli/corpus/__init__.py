"""`lexigraft corpus`: cleaning and figures of text, annotated text, projected labels; one file for each command."""

from __future__ import annotations

import typer

from lexigraft.cli.corpus import clean, link, project, show, stats, wikipedia

app = typer.Typer(no_args_is_help=True, help="Clean, count and annotate text, project labels.", rich_markup_mode=None)
app.command("clean")(clean.clean)
app.command("stats")(stats.stats)
app.command("wikipedia")(wikipedia.wikipedia)
app.command("link")(link.link)
app.command("show")(show.show)
app.command("project")(project.project)
