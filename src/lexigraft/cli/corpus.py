"""`lexigraft corpus`: annotated text from Wikipedia dumps, from a dictionary; a look at it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lexigraft.cli.options import Force, Json, Out, plugin_entries
from lexigraft.cli.output import pairs, print_json, say

if TYPE_CHECKING:
    from lexigraft.core.data.annotated_text import AnnotatedText
    from lexigraft.core.data.augmentation import Augmented

app = typer.Typer(no_args_is_help=True, help="Make annotated text, and look at it.", rich_markup_mode=None)


@app.command()
def wikipedia(
    dump: Annotated[list[Path], typer.Option(help="XML of a dump: plain, .bz2 or .gz; repeatable.")],
    lang: Annotated[str, typer.Option(help="The code of the Wikipedia: qu.")],
    out: Out,
    entities: Annotated[
        list[Path] | None,
        typer.Option(help="A Wikidata dump (.json), or the SQL dumps langlinks and page, also page_props; repeatable."),
    ] = None,
    names: Annotated[list[str] | None, typer.Option(help="A language whose names anchors get; en by default.")] = None,
    format: Annotated[Literal["jsonl", "parquet"], typer.Option(help="jsonl (compressed) or parquet.")] = "jsonl",
    processes: Annotated[int | None, typer.Option(help="Processes; one for each core by default.", min=1)] = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Write the articles of a Wikipedia dump as text with anchors; a run that was ended goes on."""
    from lexigraft.api.corpus.wikipedia import wikipedia_corpus

    with _bar() as progress:
        made = wikipedia_corpus(
            dump,
            out,
            language=lang,
            entities=entities or (),
            names=names or ("en",),
            format=format,
            processes=processes,
            force=force,
            progress=progress,
        )
    if json:
        print_json(made.as_json())
        return
    shown = {"out": made.out, "files": len(made.files), "wiki": made.database}
    pairs(shown | {name: f"{count:,}" for name, count in made.counts.items()})
    for warning in made.warnings:
        say(f"warning: {warning}")


@app.command()
def link(
    text: Annotated[list[str], typer.Option(help="Text, a document each line: a file, folder or glob; repeatable.")],
    dictionary: Annotated[list[str], typer.Option(help="TSV: a word of the text TAB its translation; repeatable.")],
    out: Annotated[Path, typer.Option(help="The file to write: .jsonl, .jsonl.gz or .parquet.")],
    reverse: Annotated[bool, typer.Option("--reverse", help="The text's words are in the second column.")] = False,
    names: Annotated[str, typer.Option(help="The code of the translations' language.")] = "en",
    match_case: Annotated[bool, typer.Option("--match-case", help="Match capitals too.")] = False,
    text_field: Annotated[str, typer.Option(help="The field or column that holds the text.")] = "text",
    force: Annotated[bool, typer.Option(help="Replace the output file if it exists.")] = False,
    json: Json = False,
) -> None:
    """Mark the words of a dictionary in text, with their translations."""
    from lexigraft.api.corpus.link import link_dictionary
    from lexigraft.core.config.recipe import DictionarySettings

    settings = DictionarySettings(path=dictionary, reverse=reverse)
    made = link_dictionary(text, out, settings, names=names, match_case=match_case, text_field=text_field, force=force)
    print_json(made.as_json()) if json else pairs(made.as_json())


@app.command()
def show(
    file: Annotated[
        Path, typer.Argument(help="Annotated text (.jsonl, .jsonl.gz, .parquet, a folder), or plain text (.txt).")
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
        typer.secho(_printable(heading), bold=True)
        typer.echo(f"{_colored(document, names) if sys.stdout.isatty() else _bracketed(document, names)}\n")
        if augmenters:
            typer.secho("as a model reads it in the first epoch, {+added+} or {~added and not learned~}:", dim=True)
            typer.echo(f"{_with_additions(augmented(document, augmenters, seed, 0))}\n")


def _with_additions(made: Augmented) -> str:
    """An augmented text with what was put there in ``{+ +}``, or ``{~ ~}`` where the model does not learn it."""
    out, at = [], 0
    for span in made.added:
        sign = "+" if span.loss else "~"
        out.append(_printable(made.document.text[at : span.start]))
        shown = f"{{{sign}{_printable(made.document.text[span.start : span.end])}{sign}}}"
        out.append(typer.style(shown, fg=typer.colors.CYAN) if sys.stdout.isatty() else shown)
        at = span.end
    return "".join([*out, _printable(made.document.text[at:])])


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
        out.append(_printable(document.text[at : anchor.start]))
        name = _printable(anchor.surface.get(names, ""))
        out.append(paint(_printable(document.text[anchor.start : anchor.end]), name))
        at = anchor.end
    return "".join([*out, _printable(document.text[at:])])


def _printable(text: str) -> str:
    """A text without characters that steer a terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" or ord(c) > 0x9F else "\ufffd" for c in text)


@contextmanager
def _bar() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda what, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks = {}

        def told(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done)

        yield told
