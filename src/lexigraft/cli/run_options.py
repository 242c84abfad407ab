"""Options of the commands that run cells: `compare`, `transfer` and `benchmark`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any

import typer

from lexigraft.api.study.run_options import RunOptions
from lexigraft.cli.output import say, show_progress

Jobs = Annotated[int, typer.Option(help="Cells at a time; threads are divided among them.", min=1)]


def run_options(
    jobs: Jobs = 1,
    backend: Annotated[
        str | None, typer.Option(metavar="NAME", help="Run stages and cells as jobs: local, or another launcher.")
    ] = None,
    backend_config: Annotated[Path | None, typer.Option(help="The backend's settings, a YAML or JSON file.")] = None,
    max_parallel: Annotated[int, typer.Option(help="Most jobs of the backend at a time.", min=1)] = 1,
) -> RunOptions:
    """The options as the Python API takes them; messages and progress go to the terminal."""
    return {
        "jobs": jobs,
        "backend": backend,
        "backend_config": backend_config,
        "max_parallel": max_parallel,
        "say": say,
        "progress": show_progress,
    }


def with_run_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a run.

    Args:
        command: The command; its parameter ``run`` stands where the options come on the command line.

    Returns:
        A command with those of :func:`run_options` in the place of ``run``, for typer.
    """
    own, shared = signature(command, eval_str=True), signature(run_options, eval_str=True)

    @wraps(command)
    def expanded(**given: Any) -> None:
        run = run_options(**{name: given.pop(name) for name in shared.parameters})
        command(**given, run=run)

    parameters: list[Parameter] = []
    for one in own.parameters.values():
        parameters += shared.parameters.values() if one.name == "run" else [one]
    # typer reads this signature. All go by keyword, so that one without a default may follow one that has it.
    vars(expanded)["__signature__"] = own.replace(parameters=[p.replace(kind=p.KEYWORD_ONLY) for p in parameters])
    return expanded
