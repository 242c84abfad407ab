"""`lexigraft transfer`: which donor language helps which target."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lexigraft.cli.compare import BackendConfig, BackendName, Jobs, MaxParallel, show_progress
from lexigraft.cli.options import Json, Sets, assignments
from lexigraft.cli.output import print_json, say


def transfer(
    recipe: Annotated[Path, typer.Argument(help="A YAML recipe with donors and targets; see examples/.")],
    out: Annotated[Path, typer.Option(help="The folder for results and report; an interrupted run goes on there.")],
    set_: Sets = None,
    jobs: Jobs = 1,
    backend: BackendName = None,
    backend_config: BackendConfig = None,
    max_parallel: MaxParallel = 1,
    json: Json = False,
) -> None:
    """Adapt one model on each donor language and measure every target language."""
    from lexigraft.api.transfer.run import transfer as run

    done = run(
        recipe, out, overrides=assignments(set_), jobs=jobs, backend=backend, backend_config=backend_config,
        max_parallel=max_parallel, say=say, progress=show_progress,
    )  # fmt: skip
    if json:
        from lexigraft.report.transfer_data import read_transfer_report

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
