"""`lexigraft corpus wikipedia`: annotated text from a Wikipedia dump."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer

from lexigraft.cli.options import Force, Json, Out
from lexigraft.cli.output import pairs, print_json, say


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
