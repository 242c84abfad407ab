"""`lexigraft tokenizer`: train."""

from __future__ import annotations

from typing import Annotated

import typer

from lexigraft.cli.options import Corpus, Force, Json, Out
from lexigraft.cli.output import pairs, print_json

app = typer.Typer(no_args_is_help=True, help="Tokenizers: made for a corpus.", rich_markup_mode=None)


@app.command()
def train(
    corpus: Corpus,
    out: Out,
    type: Annotated[str, typer.Option(help="unigram, bpe, byte_bpe or wordpiece.")] = "unigram",
    size: Annotated[int, typer.Option(help="Tokens.")] = 8000,
    lowercase: Annotated[bool, typer.Option(help="Lower-case the text.")] = False,
    byte_fallback: Annotated[bool, typer.Option(help="A token for each byte, so that nothing is unknown.")] = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Train a target tokenizer on a corpus."""
    from lexigraft.api.tokenizer import make_tokenizer
    from lexigraft.core.config.base import validate
    from lexigraft.core.config.recipe import TokenizerSettings

    values = {"type": type, "size": size, "lowercase": lowercase, "byte_fallback": byte_fallback}
    result = make_tokenizer(corpus, out, validate(TokenizerSettings, values, "tokenizer"), force=force)
    print_json(result.as_json()) if json else pairs(result.as_json())
