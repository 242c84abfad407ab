"""`lexigraft cell`: one cell of a recipe at a time, for machines that share the work of a study."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from lexigraft.cli.options import Json, Sets, assignments
from lexigraft.cli.output import print_json, say, table
from lexigraft.core.errors import LexigraftError
from lexigraft.core.utils.distributed import processes

app = typer.Typer(
    no_args_is_help=True, help="The cells of a recipe, one at a time, on any machine.", rich_markup_mode=None
)


@app.callback()
def _one_process(context: typer.Context) -> None:
    """The cells of a recipe, one at a time, on any machine."""
    if context.invoked_subcommand != "run" and processes().count > 1:
        hint = "Of the cells' commands only `cell run` is for several; start the others without a launcher"
        raise LexigraftError("this command runs in one process", f"cell {context.invoked_subcommand}", hint)


RecipeOption = Annotated[Path, typer.Option(help="A YAML recipe of `compare` or `transfer`.")]
Out = Annotated[Path, typer.Option(help="The study's folder; several processes may work in it.")]


@app.command()
def plan(
    recipe: Annotated[Path, typer.Argument(help="A YAML recipe; see examples/.")],
    out: Annotated[Path | None, typer.Option(help="The study's folder: what is in it counts as done.")] = None,
    set_: Sets = None,
    json: Json = False,
) -> None:
    """List the stages and cells of a recipe, their content addresses, and which depends on which."""
    from lexigraft.api.study.cell_commands import plan_cells

    found = plan_cells(recipe, out, overrides=assignments(set_))
    if json:
        print_json(asdict(found))
        return
    stages = [(s.id, s.words, ", ".join(s.after), s.address or "", _done(s.done)) for s in found.stages]
    cells = [(c.id, ", ".join(c.after), (c.key or "")[:12], _done(c.done)) for c in found.cells]
    table(("stage", "makes", "after", "address", ""), stages)
    table(("cell", "after", "key", ""), cells)


@app.command()
def check(
    recipe: RecipeOption,
    out: Out,
    gpus: Annotated[int, typer.Option(help="How many GPUs there must be.", min=0)] = 0,
    tracking: Annotated[str, typer.Option(help="A tracking server that must be reachable.")] = "",
    json: Json = False,
) -> None:
    """Look whether this machine can run a recipe's cells: versions, GPUs, files, disk, tracking server."""
    from json import dumps

    from lexigraft.api.study.machine_check import check_machine

    found = check_machine(recipe, out, gpus=gpus, tracking=tracking)
    if json:
        typer.echo(dumps({"checked": asdict(found)}))  # on one line: it is read out of a job's log
    else:
        devices = ", ".join(f"{name} ({memory / 1e9:.0f} GB)" for name, memory in found.gpus) or "no GPU"
        free = "" if found.free_bytes is None else f", {found.free_bytes / 1e9:.1f} GB free"
        typer.echo(f"{found.host}: {devices}{free}")
        for name, version in found.versions.items():
            typer.echo(f"  {name} {version}")
        for line in (*found.problems, *found.warnings):
            typer.echo(f"! {line}")
    if found.problems:
        raise typer.Exit(2)


def _done(done: bool) -> str:
    return "done" if done else ""


@app.command()
def prepare(
    recipe: RecipeOption,
    stage: Annotated[str, typer.Option(help="The stage; see `lexigraft cell plan`.")],
    out: Out,
    set_: Sets = None,
    json: Json = False,
) -> None:
    """Make one thing that cells share, such as the target tokenizer, where it is not made yet."""
    from lexigraft.api.study.cell_commands import prepare_stage

    made = prepare_stage(recipe, stage, out, overrides=assignments(set_), say=say)
    print_json(asdict(made)) if json else typer.echo(made.address)


@app.command()
def run(
    recipe: RecipeOption,
    cell: Annotated[str, typer.Option(help="The cell; see `lexigraft cell plan`.")],
    out: Out,
    set_: Sets = None,
    track: Annotated[bool, typer.Option(help="Log the cell in the recipe's MLflow store.")] = True,
    json: Json = False,
) -> None:
    """Run one cell, unless it is finished; `lexigraft compare` or `transfer` finds its result and makes the report.

    A launcher such as torchrun may spread its training over several processes.
    """
    from lexigraft.api.study.cell_commands import run_cell

    done = run_cell(recipe, cell, out, overrides=assignments(set_), track=track, say=say)
    if not processes().first:
        return
    if json:
        print_json({"folder": str(done.folder), "before": done.before, **done.result.as_json()})
        return
    typer.echo(done.folder / "result.json")
    if done.tracking:
        typer.echo(done.tracking)
