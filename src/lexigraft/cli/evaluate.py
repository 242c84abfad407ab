"""`lexigraft evaluate`: a model measured on held-out text or by a downstream task."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lexigraft.cli.options import AllowMissing, Json, Sets, assignments
from lexigraft.cli.output import pairs, print_json
from lexigraft.core.errors import LexigraftError

if TYPE_CHECKING:
    from lexigraft.core.evaluation.scores import ItemScores


def _shown(value: float, items: ItemScores | None) -> str:
    """A figure with its 95% interval over items, where it has items; counts as whole numbers."""
    from lexigraft.core.evaluation.statistics.intervals import items_half_width

    if items is None:
        return f"{value:,.0f}" if value > 1 and value == int(value) else f"{value:.4f}"
    width = items_half_width(items)
    spread = "" if width is None else f" ± {width:.4f}"
    return f"{value:.4f}{spread} ({len(items.numerators):,} items)"


def evaluate(
    model: Annotated[str, typer.Argument(help="The model: a folder or Hub name, or an adapter's folder.")],
    heldout: Annotated[list[str] | None, typer.Option(help="Held-out text; repeatable.")] = None,
    evaluator: Annotated[
        list[str] | None, typer.Option(help="Evaluators of held-out text; bits_per_byte by default.")
    ] = None,
    max_lines: Annotated[int, typer.Option(help="Held-out lines at most.")] = 200,
    task: Annotated[str | None, typer.Option(help="A downstream task: see `lexigraft evaluators list`.")] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(metavar="[NAME=]FILE", help="A file of the task (train=FILE); repeatable."),
    ] = None,
    set_: Sets = None,
    train: Annotated[list[str] | None, typer.Option(help="The text the model was trained on; repeatable.")] = None,
    seed: Annotated[int, typer.Option(help="Decides everything random.", min=0, max=2**32 - 1)] = 0,
    items: Annotated[Path | None, typer.Option(help="Write the outcome of every item to this parquet file.")] = None,
    base: Annotated[str | None, typer.Option(help="An adapter's base model, where it has moved.")] = None,
    allow_missing: AllowMissing = None,
    json: Json = False,
) -> None:
    """Measure a model on held-out text, or by a downstream task."""
    from lexigraft.api.evaluate import evaluate as run
    from lexigraft.api.tasks import task_files
    from lexigraft.core.config.base import validate
    from lexigraft.core.config.evaluation import EvaluationSettings
    from lexigraft.core.evaluation.item_store import save_items
    from lexigraft.core.utils.progress import showing_progress

    values: dict[str, Any] = {"evaluators": evaluator or ["bits_per_byte"], "max_lines": max_lines}
    if task is None and (data or set_):
        raise LexigraftError("--data and --set are for a task", "no task", "Give --task NAME")
    if task is not None:
        values["tasks"] = {task: {"files": task_files(task, data or ()), "options": assignments(set_)}}
    settings = validate(EvaluationSettings, values, "evaluation")
    with showing_progress():
        found = run(
            model, heldout or (), settings=settings, seed=seed, train=train or (), allow_missing=allow_missing or (),
            base=base,
        )  # fmt: skip
    if items is not None:
        save_items(items, found.items)
    if json:
        print_json(found.figures)
        return
    pairs({name: _shown(value, found.items.get(name)) for name, value in found.figures.items()})
    for note in found.notes:
        typer.echo(note, err=True)
