"""`lexigraft benchmark`: comparisons over languages, models or sizes with one leaderboard."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from lexigraft.cli.compare import BackendConfig, BackendName, Jobs, MaxParallel, show_progress
from lexigraft.cli.options import Json
from lexigraft.cli.output import print_json, say

Only = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="STRATEGY", help="Run this one alone; the others are the record's. Repeatable."),
]
RecordFile = Annotated[Path | None, typer.Option("--record", help="Published results for --only, if not the suite's.")]


def benchmark(
    suite: Annotated[Path, typer.Argument(help="A suite: a YAML file that lists recipes; see examples/.")],
    out: Annotated[Path, typer.Option(help="The folder for results; an interrupted run goes on there.")],
    only: Only = None,
    record: RecordFile = None,
    jobs: Jobs = 1,
    backend: BackendName = None,
    backend_config: BackendConfig = None,
    max_parallel: MaxParallel = 1,
    json: Json = False,
) -> None:
    """Run a suite of comparisons and rank the strategies over all of them."""
    from lexigraft.api.benchmark.run import benchmark as run

    done = run(
        suite,
        out,
        only=only or (),
        record=record,
        jobs=jobs,
        backend=backend,
        backend_config=backend_config,
        max_parallel=max_parallel,
        say=say,
        progress=show_progress,
    )
    from lexigraft.report.benchmark import ranked

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
