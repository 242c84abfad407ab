"""`lexigraft mix-adapters`: several adapters of one model, each with a weight, written as one model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lexigraft.cli.options import Force, Json, Out
from lexigraft.cli.output import pairs, print_json
from lexigraft.core.errors import LexigraftError


def mix_adapters(
    adapter: Annotated[list[str], typer.Argument(metavar="FOLDER=WEIGHT…", help="Adapters with their weights.")],
    out: Out,
    base: Annotated[
        str | None, typer.Option(help="The model that they were trained from, by default the one they name.")
    ] = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Apply adapters of LoRA layers to their model, each with a weight, and write the whole model."""
    from lexigraft.api.mixed_adapters import write_mixed_adapters

    weights: dict[str | Path, float] = {}
    for pair in adapter:
        folder, _, weight = pair.rpartition("=")
        try:
            value = float(weight)
        except ValueError:
            folder = ""
        if not folder or folder in weights:
            hint = "Give each folder once, with its weight: quechua=0.7 spanish=0.3"
            raise LexigraftError("this is no adapter with a weight", pair, hint)
        weights[folder] = value
    made = write_mixed_adapters(weights, out, base=base, force=force)
    if json:
        print_json(made.as_json())
    else:
        pairs({"base": made.base, **made.weights, "out": made.out})
