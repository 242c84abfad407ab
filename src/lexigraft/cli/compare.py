"""`lexigraft compare`, `report` and `demo`: strategies head to head."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lexigraft.api.study.run_options import RunOptions
from lexigraft.cli.options import Json, Sets, assignments
from lexigraft.cli.output import print_json, say, show_progress
from lexigraft.cli.run_options import Jobs, with_run_options
from lexigraft.core.utils.secrets import masked_uris

if TYPE_CHECKING:
    from lexigraft.api.compare.run import Compared


@with_run_options
def compare(
    recipe: Annotated[Path, typer.Argument(help="A YAML recipe; see examples/.")],
    out: Annotated[Path, typer.Option(help="The folder for results and report; an interrupted run goes on there.")],
    set_: Sets = None,
    *,
    run: RunOptions,
    json: Json = False,
) -> None:
    """Compare strategies on one language with the same data and budget."""
    from lexigraft.api.compare.run import compare as compare_strategies

    _show(compare_strategies(recipe, out, overrides=assignments(set_), **run), json)


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
    typer.echo(f"{said.opening} {said.best}: {' '.join(said.sentences)}")
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
