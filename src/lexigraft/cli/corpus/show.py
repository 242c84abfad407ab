"""`lexigraft corpus show`: a look at annotated text."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lexigraft.cli.options import Json, plugin_entries
from lexigraft.cli.output import print_json, printable

if TYPE_CHECKING:
    from lexigraft.core.data.annotated_text import AnnotatedText
    from lexigraft.core.data.augmentation import Augmented


def show(
    file: Annotated[
        Path,
        typer.Argument(help="Annotated text (.jsonl, .jsonl.gz, .parquet, a folder), or a file of plain text."),
    ],
    documents: Annotated[int, typer.Option(help="How many documents; 0 for all.", min=0)] = 3,
    skip: Annotated[int, typer.Option(help="Documents to pass over.", min=0)] = 0,
    characters: Annotated[int, typer.Option(help="Characters of each; 0 for all.", min=0)] = 1000,
    names: Annotated[str, typer.Option(help="The language whose names are shown.")] = "en",
    augment: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[:KEY=VALUE,…]", help="Show what an augmenter makes of it, too; repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option(help="What augmenters draw.", min=0, max=2**32 - 1)] = 0,
    json: Json = False,
) -> None:
    """Show documents with their anchors: colored on a terminal, in brackets elsewhere."""
    from lexigraft.api.corpus.show import preview
    from lexigraft.core.data.annotated_text import as_row
    from lexigraft.core.data.augmentation import augment as augmented
    from lexigraft.core.data.augmentation import make_augmenters

    augmenters = make_augmenters(plugin_entries(augment, "--augment"))
    found = preview(file, documents=documents, skip=skip, characters=characters)
    if json:
        made = [augmented(document, augmenters, seed, 0).document for document in found]
        print_json([as_row(document) for document in made])
        return
    for document in found:
        named = sum(names in anchor.surface for anchor in document.anchors)
        heading = f"{document.title or '(no title)'}: {len(document.anchors)} anchors, {named} with a name in {names}"
        typer.secho(printable(heading), bold=True)
        typer.echo(f"{_colored(document, names) if sys.stdout.isatty() else _bracketed(document, names)}\n")
        if augmenters:
            typer.secho("as a model reads it in the first epoch, {+added+} or {~added and not learned~}:", dim=True)
            typer.echo(f"{_with_additions(augmented(document, augmenters, seed, 0))}\n")


def _with_additions(made: Augmented) -> str:
    """An augmented text with what was put there in ``{+ +}``, or ``{~ ~}`` where the model does not learn it."""
    out, at = [], 0
    for span in made.added:
        sign = "+" if span.loss else "~"
        out.append(printable(made.document.text[at : span.start]))
        shown = f"{{{sign}{printable(made.document.text[span.start : span.end])}{sign}}}"
        out.append(typer.style(shown, fg=typer.colors.CYAN) if sys.stdout.isatty() else shown)
        at = span.end
    return "".join([*out, printable(made.document.text[at:])])


def _bracketed(document: AnnotatedText, names: str) -> str:
    return _rendered(document, lambda shown, name: f"[{shown}|{name}]" if name else f"[{shown}]", names)


def _colored(document: AnnotatedText, names: str) -> str:
    def painted(shown: str, name: str) -> str:
        if not name:
            return typer.style(shown, fg=typer.colors.YELLOW)
        return typer.style(shown, fg=typer.colors.GREEN, underline=True) + typer.style(f" {name}", dim=True)

    return _rendered(document, painted, names)


def _rendered(document: AnnotatedText, paint: Callable[[str, str], str], names: str) -> str:
    out, at = [], 0
    for anchor in document.anchors:
        out.append(printable(document.text[at : anchor.start]))
        name = printable(anchor.surface.get(names, ""))
        out.append(paint(printable(document.text[anchor.start : anchor.end]), name))
        at = anchor.end
    return "".join([*out, printable(document.text[at:])])
