"""`lexigraft corpus stats`: figures of a text."""

from __future__ import annotations

from typing import Annotated

import typer

from lexigraft.cli.corpus.line_progress import line_progress
from lexigraft.cli.options import Json
from lexigraft.cli.output import pairs, print_json, printable

RARE = 0.0001
"""Share of the letters below which a script is not shown by name."""


def stats(
    text: Annotated[list[str], typer.Argument(help="Text: .txt, .jsonl, .csv, .parquet, .gz, a folder or a glob.")],
    words: Annotated[int, typer.Option(help="How many of the most frequent words are shown.", min=0)] = 10,
    text_field: Annotated[str, typer.Option(help="The field or column that holds the text.")] = "text",
    json: Json = False,
) -> None:
    """Count lines, words, characters, scripts, repetitions and lengths of all files together."""
    from lexigraft.core.data.cleaning.text_statistics import text_statistics
    from lexigraft.core.data.readers import read_lines

    with line_progress("counting") as progress:
        found = text_statistics(read_lines(text, text_field), words, progress)
    if json:
        print_json(found.as_json())
        return
    names = ("lines", "empty", "duplicates", "words", "word_types", "characters", "bytes")
    shown = {name.replace("_", " "): f"{getattr(found, name):,}" for name in names}
    letters = sum(found.scripts.values())
    common = [f"{code} {count / letters:.2%}" for code, count in found.scripts.items() if count >= RARE * letters]
    others = len(found.scripts) - len(common)
    shown["scripts"] = ", ".join(common + ([f"{others} below {RARE:.2%}"] if others else []))
    shown["line length"] = ", ".join(f"{name} {value:,}" for name, value in found.lengths.items())
    shown["most frequent"] = ", ".join(f"{printable(word)} ({count:,})" for word, count in found.frequent_words)
    pairs(shown)
