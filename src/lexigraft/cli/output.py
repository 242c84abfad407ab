"""Output of the command line as text or JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import typer

from lexigraft.core.utils.distributed import processes


def print_json(value: Any) -> None:
    """Print one JSON document on standard output."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def say(text: str) -> None:
    """Print a progress line on standard error; of several processes only the first prints."""
    if processes().first:
        typer.echo(text, err=True)


def show_progress(message: str, done: int, total: int) -> None:
    """A line with a bar on a terminal, a plain line elsewhere; training shows a live bar of its own in between."""
    if not sys.stderr.isatty():
        say(f"[{done}/{total}] {message}")
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True)
    bar = Progress(MofNCompleteColumn(), BarColumn(20), TextColumn("{task.description}", markup=False), console=console)
    bar.add_task(message, total=total, completed=done)
    console.print(bar)


def printable(text: str) -> str:
    """A text without characters that steer a terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" or ord(c) > 0x9F else "\ufffd" for c in text)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a plain table on standard output."""
    from rich import box
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    # Text, because brackets in a string would be read as markup.
    shown = Table(*(Column(Text(name)) for name in columns), box=box.SIMPLE)
    for row in rows:
        shown.add_row(*(Text("" if cell is None else printable(str(cell))) for cell in row))
    Console(width=None if sys.stdout.isatty() else 160).print(shown)


def pairs(values: Mapping[str, object]) -> None:
    """Print names and values, aligned, on standard output."""
    width = max(map(len, values), default=0)
    for key, value in values.items():
        typer.echo(f"{key:<{width}}  {value}")
