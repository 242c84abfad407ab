"""`lexigraft align`: two files of word vectors brought into one space by a dictionary, and measured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lexigraft.cli.options import Json
from lexigraft.cli.output import pairs, print_json


def align(
    source: Annotated[str, typer.Argument(help="Word vectors of the source language: .bin, .vec or .npz.")],
    target: Annotated[str, typer.Argument(help="Word vectors of the target language.")],
    dictionary: Annotated[list[str], typer.Option(help="Lines of source TAB target to learn from; repeatable.")],
    out: Annotated[Path | None, typer.Option(help="The .vec file for the mapped source vectors.")] = None,
    test: Annotated[
        list[str] | None, typer.Option(help="A dictionary to test on, whose source words are not learned from.")
    ] = None,
    test_share: Annotated[float, typer.Option(help="Without --test, the share of source words held out.")] = 0.2,
    reverse: Annotated[bool, typer.Option("--reverse", help="The dictionaries hold target TAB source.")] = False,
    method: Annotated[str, typer.Option(help="procrustes, or rcsls (learned for retrieval by CSLS).")] = "procrustes",
    limit_words: Annotated[int, typer.Option(help="Words read of each file, the first.")] = 100_000,
    neighbors: Annotated[int, typer.Option(help="Nearest neighbors that CSLS looks at.")] = 10,
    steps: Annotated[int, typer.Option(help="Steps that rcsls tries.")] = 10,
    force: Annotated[bool, typer.Option("--force", help="Replace the output file if it exists.")] = False,
    json: Json = False,
) -> None:
    """Align two files of word vectors by a dictionary, measured on words held out of it."""
    from lexigraft.api.align_vectors import align_vectors

    result = align_vectors(
        source, target, dictionary, out, test=test or (), test_share=test_share, reverse=reverse,
        method=method, limit_words=limit_words, neighbors=neighbors, steps=steps, force=force,
    )  # fmt: skip
    if json:
        print_json(result.as_json())
        return
    pairs({"pairs": f"{result.pairs:,}", **{name: f"{value:.4f}" for name, value in result.figures.items()}})
    for note in result.notes:
        typer.echo(note, err=True)
