"""`lexigraft corpus project`: named entities of a text projected onto its translation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from lexigraft.cli.corpus.line_progress import line_progress
from lexigraft.cli.options import Json
from lexigraft.cli.output import pairs, print_json
from lexigraft.core.errors import LexigraftError


def project(
    source: Annotated[Path, typer.Option(help="Words with BIO labels, an empty line between sentences.")],
    out: Annotated[Path, typer.Option(help="The file to write: words with BIO labels.")],
    target: Annotated[
        Path | None,
        typer.Option(help="Text whose line n is the translation of sentence n; with --model by default its own."),
    ] = None,
    parallel: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="SOURCE TARGET", help="Two more texts, aligned line by line, to learn word links from."),
    ] = None,
    aligner: Annotated[
        Literal["builtin", "eflomal"] | None, typer.Option(help="The word aligner; builtin by default.")
    ] = None,
    max_gap: Annotated[
        int | None, typer.Option(help="Words without a link inside an entity, between two links; 1 by default.", min=0)
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="A translation model that places markers, instead of the word aligner.")
    ] = None,
    markers: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="OPENING CLOSING", help="The markers that the model writes; [ and ] by default."),
    ] = None,
    languages: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="SOURCE TARGET", help="The model's tokens for both languages: eng_Latn swh_Latn."),
    ] = None,
    prefix: Annotated[str | None, typer.Option(help="What the model reads before every sentence.")] = None,
    candidates: Annotated[
        int | None, typer.Option(help="Places that the model finds for each entity; 5 by default.", min=1)
    ] = None,
    beams: Annotated[
        int | None, typer.Option(help="Beams of the model's own translations; 1 by default.", min=1)
    ] = None,
    drop_incomplete: Annotated[
        bool, typer.Option("--drop-incomplete", help="Leave out sentences of which an entity is lost.")
    ] = False,
    force: Annotated[bool, typer.Option(help="Replace the output file if it exists.")] = False,
    json: Json = False,
) -> None:
    """Label a translation's words with the entities of its source, by word alignment or a translation model."""
    of_aligner = _given(parallel=parallel, aligner=aligner, max_gap=max_gap)
    of_model = _given(markers=markers, languages=languages, prefix=prefix, candidates=candidates, beams=beams)
    always: dict[str, Any] = {"drop_incomplete": drop_incomplete, "force": force}
    if model is not None:
        from lexigraft.api.corpus.project_with_model import project_labels_with_model

        _refuse(of_aligner, "Leave them out, or leave out --model")
        with line_progress("projecting") as progress:
            made = project_labels_with_model(source, model, out, target=target, progress=progress, **of_model, **always)
    else:
        from lexigraft.api.corpus.project import project_labels

        _refuse(of_model, "Give --model, or leave them out")
        if target is None:
            raise LexigraftError("there is no translation", hint="Give --target, or a --model that translates")
        made = project_labels(source, target, out, **of_aligner, **always)
    print_json(made.as_json()) if json else pairs(made.as_json())


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _refuse(options: dict[str, Any], hint: str) -> None:
    if options:
        named = ", ".join(f"--{name.replace('_', '-')}" for name in options)
        raise LexigraftError("these options belong to the other way of projection", named, hint)
