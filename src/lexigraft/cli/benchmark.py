"""`lexigraft benchmark`: comparisons over languages, models or sizes with one leaderboard."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from lexigraft.api.study.run_options import RunOptions
from lexigraft.cli.options import Json
from lexigraft.cli.output import print_json
from lexigraft.cli.run_options import with_run_options

Only = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="STRATEGY", help="Run this one alone; the others are the record's. Repeatable."),
]
RecordFile = Annotated[Path | None, typer.Option("--record", help="Published results for --only, if not the suite's.")]


@with_run_options
def benchmark(
    suite: Annotated[Path, typer.Argument(help="A suite: a YAML file that lists recipes; see examples/.")],
    out: Annotated[Path, typer.Option(help="The folder for results; an interrupted run goes on there.")],
    only: Only = None,
    record: RecordFile = None,
    *,
    run: RunOptions,
    json: Json = False,
) -> None:
    """Run a suite of comparisons and rank the strategies over all of them."""
    from lexigraft.api.benchmark.run import benchmark as run_suite
    from lexigraft.report.benchmark.leaderboard import ranked

    done = run_suite(suite, out, only=only or (), record=record, **run)
    table = ranked(done.leaderboard)
    files = {name: str(path) for name, path in done.report._asdict().items()} | {"record": str(done.record)}
    if json:
        print_json({"columns": table.columns, "rows": table.rows, **files})
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    shown = Table(title=escape(done.leaderboard.suite), title_justify="left")
    for i, name in enumerate(table.columns):
        shown.add_column(name, justify="right" if i else "left", no_wrap=True)
    for row in table.rows:
        shown.add_row(*map(escape, row))
    Console(width=None if sys.stdout.isatty() else 160).print(shown)
    for name, path in files.items():
        typer.echo(f"{name + ':':<10}{path}")
