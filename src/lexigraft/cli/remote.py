"""`lexigraft remote`: jobs of a comparison or a transfer study that runs on other machines, from any shell."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from lexigraft.cli.options import Json
from lexigraft.cli.output import print_json, table

app = typer.Typer(
    no_args_is_help=True,
    help="The jobs of `compare` or `transfer` with --backend, from any shell.",
    rich_markup_mode=None,
)
Folder = Annotated[Path, typer.Argument(help="The study's folder.")]
Names = Annotated[list[str] | None, typer.Argument(metavar="[JOB]...", help="Names, or how they begin; else all.")]


@app.command()
def status(folder: Folder, json: Json = False) -> None:
    """List the jobs with their states."""
    from lexigraft.api.study.jobs import remote_status

    found = remote_status(folder)
    if json:
        print_json([asdict(job) for job in found])
        return
    table(("job", "start", "id", "state", ""), [(j.job, j.attempt, j.id, j.state, j.words) for j in found])


@app.command()
def logs(
    folder: Folder,
    jobs: Names = None,
    lines: Annotated[int, typer.Option(help="Lines of each log.", min=1)] = 20,
    json: Json = False,
) -> None:
    """Print the last lines of the jobs' logs."""
    from lexigraft.api.study.jobs import remote_logs

    found = remote_logs(folder, jobs or (), lines)
    if json:
        print_json(found)
        return
    for job, text in found.items():
        typer.echo(f"==> {job} <==")
        for line in text:
            typer.echo(line)


@app.command()
def cancel(folder: Folder, jobs: Names = None, json: Json = False) -> None:
    """End jobs; finished cells are kept, and the same `compare` or `transfer` goes on from there."""
    from lexigraft.api.study.jobs import remote_cancel

    ended = remote_cancel(folder, jobs or ())
    print_json({"cancelled": ended}) if json else typer.echo("\n".join(ended) or "no job was running")


@app.command()
def fetch(folder: Folder, json: Json = False) -> None:
    """Bring what ended jobs have made, and write the report of the cells that are finished."""
    from lexigraft.api.study.jobs import remote_fetch

    found = remote_fetch(folder)
    if json:
        report = str(found.report.html) if found.report else None
        print_json({"jobs": found.jobs, "finished": found.finished, "cells": found.cells, "report": report})
        return
    cells = "the list of cells is not made yet" if found.cells is None else f"{found.finished} of {found.cells} cells"
    typer.echo(f"{len(found.jobs)} jobs have ended; {cells}")
    if found.report:
        typer.echo(found.report.html)
