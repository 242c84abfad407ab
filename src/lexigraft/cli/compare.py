"""`lexigraft compare`, `report` and `demo`: strategies head to head."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lexigraft.cli.options import Json, Sets, assignments
from lexigraft.cli.output import print_json, say
from lexigraft.core.utils.secrets import masked_uris

if TYPE_CHECKING:
    from lexigraft.api.compare.run import Compared

Jobs = Annotated[int, typer.Option(help="Cells at a time; threads are divided among them.", min=1)]

BackendName = Annotated[
    str | None, typer.Option(metavar="NAME", help="Run stages and cells as jobs: local, or another launcher.")
]
BackendConfig = Annotated[Path | None, typer.Option(help="The backend's settings, a YAML or JSON file.")]
MaxParallel = Annotated[int, typer.Option(help="Most jobs of the backend at a time.", min=1)]


def compare(
    recipe: Annotated[Path, typer.Argument(help="A YAML recipe; see examples/.")],
    out: Annotated[Path, typer.Option(help="The folder for results and report; an interrupted run goes on there.")],
    set_: Sets = None,
    jobs: Jobs = 1,
    backend: BackendName = None,
    backend_config: BackendConfig = None,
    max_parallel: MaxParallel = 1,
    json: Json = False,
) -> None:
    """Compare strategies on one language with the same data and budget."""
    from lexigraft.api.compare.run import compare as run

    done = run(
        recipe,
        out,
        overrides=assignments(set_),
        jobs=jobs,
        backend=backend,
        backend_config=backend_config,
        max_parallel=max_parallel,
        say=say,
        progress=show_progress,
    )
    _show(done, json)


def demo(
    out: Annotated[Path, typer.Option(help="The folder for everything.")] = Path("demo"),
    quick: Annotated[bool, typer.Option(help="One seed and a fraction of the training: a look, not a result.")] = False,
    every: Annotated[bool, typer.Option(help="Every strategy that the data allows, instead of a choice.")] = False,
    jobs: Jobs = 2,
    json: Json = False,
) -> None:
    """Compare strategies on a made language whose right answer is known; needs no network."""
    from lexigraft.api.compare.demo import demo as run

    _show(run(out, quick=quick, every=every, jobs=jobs, say=say, progress=show_progress), json)


def report(
    folder: Annotated[Path, typer.Argument(help="The folder that compare or transfer wrote.")],
    resample: Annotated[
        bool, typer.Option("--resample", help="Add bootstrap and permutation to differences.csv; seconds for each.")
    ] = False,
    json: Json = False,
) -> None:
    """Write the report of a comparison or a transfer study again from its results."""
    from lexigraft.report.study_report import write_study_report

    paths = {name: str(path) for name, path in write_study_report(folder, resample=resample)._asdict().items()}
    print_json(paths) if json else typer.echo("\n".join(paths.values()))


def show_progress(message: str, done: int, total: int) -> None:
    """A line with a bar on a terminal, a plain line elsewhere; training shows a live bar of its own in between."""
    if not sys.stderr.isatty():
        say(f"[{done}/{total}] {message}")
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True)
    bar = Progress(MofNCompleteColumn(), BarColumn(20), TextColumn("{task.description}", markup=False), console=console)
    bar.add_task(message, total=total, completed=done)
    console.print(bar)


def _show(done: Compared, as_json: bool) -> None:
    if as_json:
        print_json(_summary(done))
        return
    from rich.console import Console

    from lexigraft.report.verdict import verdict
    from lexigraft.report.writer import read_report, table_text

    report = read_report(done.out)
    Console(width=None if sys.stdout.isatty() else 160).print(table_text(report))
    said = verdict(report)
    typer.echo(f"use {said.best}: {' '.join(said.sentences)}")
    typer.echo(f"report:   {done.report.html} (open it in a browser)")
    typer.echo(f"results:  {done.report.csv}")
    if done.store:
        typer.echo(f"runs:     {_shown_at(done.store)}")
    if done.tracking:
        typer.echo(done.tracking)


def _shown_at(store: str) -> str:
    """Where the runs are seen: a server's address, else a command that can be pasted."""
    shown = str(masked_uris(store))
    if store.startswith(("http://", "https://", "databricks")):
        return shown
    program = Path(sys.executable).with_name("mlflow")
    mlflow = [str(program)] if program.exists() else [sys.executable, "-m", "mlflow"]
    if shown == store:
        return shlex.join([*mlflow, "ui", "--backend-store-uri", store])
    # A password is not printed: where the store came from the variable, so does the command's.
    named = os.environ.get("MLFLOW_TRACKING_URI") == store
    return f'{shlex.join([*mlflow, "ui"])} --backend-store-uri "$MLFLOW_TRACKING_URI"' if named else shown


def _summary(done: Compared) -> dict[str, Any]:
    return {
        "out": str(done.out),
        "report": str(done.report.html),
        "results": [
            {"strategy": r.cell.label, "seed": r.cell.seed, "scores": [[s.step, s.metric, s.value] for s in r.scores]}
            for r in done.results
        ],
    }
