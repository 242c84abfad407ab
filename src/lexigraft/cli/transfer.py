"""`lexigraft transfer`: which donor language helps which target."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lexigraft.api.study.run_options import RunOptions
from lexigraft.cli.options import Json, Sets, assignments
from lexigraft.cli.output import print_json
from lexigraft.cli.run_options import with_run_options


@with_run_options
def transfer(
    recipe: Annotated[Path, typer.Argument(help="A YAML recipe with donors and targets; see examples/.")],
    out: Annotated[Path, typer.Option(help="The folder for results and report; an interrupted run goes on there.")],
    set_: Sets = None,
    *,
    run: RunOptions,
    json: Json = False,
) -> None:
    """Adapt one model on each donor language and measure every target language."""
    from lexigraft.api.transfer.run import transfer as run_transfer

    done = run_transfer(recipe, out, overrides=assignments(set_), **run)
    if json:
        from lexigraft.report.transfer.gains import read_transfer_report

        pairs = [
            {"metric": outcome.name, "donor": pair.donor, "target": pair.target, "control": pair.control,
             "zero_shot": pair.zero_shot, "adapted": pair.adapted, "gain": pair.gain and pair.gain.mean}
            for outcome in read_transfer_report(done.out).outcomes
            for pair in outcome.pairs
        ]  # fmt: skip
        print_json({"out": str(done.out), "report": str(done.report.html), "pairs": pairs})
        return
    typer.echo(f"report:   {done.report.html} (open it in a browser)\nmatrix:   {done.report.matrix}")
    if done.tracking:
        typer.echo(done.tracking)
