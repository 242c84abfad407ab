"""`lexigraft corpus project`: named entities of a text projected onto its translation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from lexigraft.cli.options import Json
from lexigraft.cli.output import pairs, print_json


def project(
    source: Annotated[Path, typer.Option(help="Words with BIO labels, an empty line between sentences.")],
    target: Annotated[Path, typer.Option(help="Text whose line n is the translation of sentence n.")],
    out: Annotated[Path, typer.Option(help="The file to write: words with BIO labels.")],
    parallel: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="SOURCE TARGET", help="Two more texts, aligned line by line, to learn word links from."),
    ] = None,
    aligner: Annotated[Literal["builtin", "eflomal"], typer.Option(help="The word aligner.")] = "builtin",
    max_gap: Annotated[int, typer.Option(help="Words without a link inside an entity, between two links.", min=0)] = 1,
    drop_incomplete: Annotated[
        bool, typer.Option("--drop-incomplete", help="Leave out sentences of which an entity is lost.")
    ] = False,
    force: Annotated[bool, typer.Option(help="Replace the output file if it exists.")] = False,
    json: Json = False,
) -> None:
    """Label a translation's words with the entities of its source, by word alignment."""
    from lexigraft.api.corpus.project import project_labels

    made = project_labels(
        source, target, out, parallel=parallel, aligner=aligner, max_gap=max_gap, drop_incomplete=drop_incomplete,
        force=force,
    )  # fmt: skip
    print_json(made.as_json()) if json else pairs(made.as_json())
