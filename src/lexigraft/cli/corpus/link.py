"""`lexigraft corpus link`: annotated text from a text and a dictionary."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lexigraft.cli.options import Json
from lexigraft.cli.output import pairs, print_json


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
