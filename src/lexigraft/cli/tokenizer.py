"""`lexigraft tokenizer`: train, report, extend, prune, bridge, sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lexigraft.cli.options import Corpus, Force, Json, Out
from lexigraft.cli.output import pairs, print_json, say, table
from lexigraft.core.errors import LexigraftError

app = typer.Typer(
    no_args_is_help=True, help="Train, measure, extend, prune tokenizers, and bridge two.", rich_markup_mode=None
)


@app.command()
def train(
    corpus: Corpus,
    out: Out,
    type: Annotated[str | None, typer.Option(help="unigram (default), bpe, byte_bpe or wordpiece.")] = None,
    size: Annotated[int, typer.Option(help="Tokens.")] = 8000,
    lowercase: Annotated[bool, typer.Option(help="Lower-case the text.")] = False,
    byte_fallback: Annotated[bool, typer.Option(help="A token for each byte, so that nothing is unknown.")] = False,
    like: Annotated[
        str | None,
        typer.Option(help="Tokenizer whose type, normalizer, pre-tokenizer, special tokens and templates are taken."),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(help="Several corpora: shares in proportion to characters ** (1 / temperature), 1 or more."),
    ] = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Train a target tokenizer on a corpus."""
    from lexigraft.api.tokenizers.train import make_tokenizer, make_tokenizer_like
    from lexigraft.core.config.base import validate
    from lexigraft.core.config.recipe import TokenizerSettings

    values = {"size": size, "lowercase": lowercase, "byte_fallback": byte_fallback, **({"type": type} if type else {})}
    settings = validate(TokenizerSettings, values, "tokenizer")
    if like is None:
        result = make_tokenizer(corpus, out, settings, temperature=temperature, force=force)
    elif lowercase or byte_fallback:
        given = "--lowercase" if lowercase else "--byte-fallback"
        raise LexigraftError("--like takes this from the tokenizer it names", given, "Leave one of the two out")
    else:
        result = make_tokenizer_like(like, corpus, out, size=size, type=type, temperature=temperature, force=force)
    print_json(result.as_json()) if json else pairs(result.as_json())


@app.command()
def report(
    tokenizers: Annotated[
        list[str], typer.Argument(help="Folders, tokenizer files or Hub names; the first is the source.")
    ],
    corpus: Corpus,
    parallel: Annotated[
        str | None, typer.Option(metavar="A,B", help="Files of the same content in several languages, line by line.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Model with a head: how fast it would be with each vocabulary.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Page to write: bars of the figures, and how the tokenizers cut some lines.")
    ] = None,
    json: Json = False,
) -> None:
    """Measure tokenizers on a corpus: how many tokens it takes, and what they are."""
    from lexigraft.api.tokenizers.report import report_tokenizers
    from lexigraft.core.tokenization.measures.tokenizer_report import figures

    result = report_tokenizers(
        tokenizers, corpus, parallel=parallel.split(",") if parallel else (), model=model, html=html
    )
    if json:
        print_json(result.as_json())
        return
    table(("", *result.tokenizers), figures(result))
    for warning in result.warnings:
        say(f"warning: {warning}")


@app.command()
def extend(
    source: Annotated[str, typer.Option(help="Tokenizer: a folder, a tokenizer file or a Hub name.")],
    corpus: Corpus,
    add: Annotated[int, typer.Option(help="New tokens, at most.")],
    out: Out,
    method: Annotated[
        str | None,
        typer.Option(
            help="continued_bpe goes on from the source's merges, append (WordPiece, others) takes tokens trained from "
            "scratch, exchange drops the least useful for them, unigram_em is Unigram's. By default the one that fits."
        ),
    ] = None,
    source_text: Annotated[
        list[str] | None,
        typer.Option(help="Text that the source is good at: how much of it changes; exchange keeps what it uses."),
    ] = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Add tokens for a corpus; the old ones keep their ids.

    No text gets longer, but for exchange and for rare words of WordPiece.
    """
    from lexigraft.api.tokenizers.extend import extend_tokenizer

    result = extend_tokenizer(source, corpus, out, add=add, method=method, source_text=source_text or (), force=force)
    print_json(result.as_json()) if json else pairs(result.as_json())


@app.command()
def prune(
    source: Annotated[str, typer.Option(help="Tokenizer: a folder, a tokenizer file or a Hub name.")],
    corpus: Corpus,
    out: Out,
    keep: Annotated[int | None, typer.Option(help="How many tokens stay.")] = None,
    drop_unused: Annotated[bool, typer.Option("--drop-unused", help="Drop what the corpus does not use.")] = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Drop the tokens that a corpus needs least; graft then shrinks the model's tables."""
    from lexigraft.api.tokenizers.prune import prune_tokenizer

    result = prune_tokenizer(source, corpus, out, keep=keep, drop_unused=drop_unused, force=force)
    print_json(result.as_json()) if json else pairs(result.as_json())


@app.command()
def bridge(
    draft: Annotated[str, typer.Argument(help="Draft model: a folder or Hub name.")],
    like: Annotated[str, typer.Option(help="Target model, whose vocabulary the draft model gets.")],
    text: Annotated[list[str], typer.Option(help="Text to compare the two on; repeatable.")],
    out: Out,
    strategy: Annotated[
        str, typer.Option(help="A strategy, or several joined by commas, tried in order.")
    ] = "subword_mean",
    lines: Annotated[int, typer.Option(help="Lines to compare them on.", min=1)] = 200,
    seed: Annotated[int, typer.Option(help="Decides everything random.", min=0, max=2**32 - 1)] = 0,
    force: Force = False,
    json: Json = False,
) -> None:
    """Give a draft model the vocabulary of its target, for speculative decoding, and measure their agreement."""
    from lexigraft.api.tokenizers.bridge import bridge_draft

    result = bridge_draft(draft, like, text, out, strategy=strategy, lines=lines, seed=seed, force=force)
    print_json(result.as_json()) if json else pairs(result.as_json())


@app.command()
def sizes(
    corpus: Corpus,
    sizes: Annotated[str, typer.Option(metavar="N,N,...", help="Numbers of tokens to add.")],
    source: Annotated[str | None, typer.Option(help="Tokenizer to extend; by default the model's own.")] = None,
    method: Annotated[str | None, typer.Option(help="As for extend.")] = None,
    model: Annotated[
        str | None, typer.Option(help="Model to probe: grafted, adapted and measured at each size.")
    ] = None,
    strategy: Annotated[str, typer.Option(help="Strategy of the probe's graft.")] = "subword_mean",
    steps: Annotated[int, typer.Option(help="Steps of a probe.", min=1)] = 50,
    seeds: Annotated[int, typer.Option(help="Probes of each size.", min=1)] = 3,
    json: Json = False,
) -> None:
    """Sweep over numbers of new tokens: fertility against parameters, and what a short adaptation makes of them."""
    from lexigraft.api.tokenizers.sizes import sweep_sizes

    numbers = [part.strip() for part in sizes.split(",")]
    if not all(part.isdecimal() for part in numbers):
        raise LexigraftError("sizes are numbers between commas", sizes, "For example --sizes 1000,2000,5000")
    result = sweep_sizes(
        corpus, [int(part) for part in numbers], source=source, method=method, model=model, strategy=strategy,
        steps=steps, seeds=seeds,
    )  # fmt: skip
    if json:
        print_json(result.as_json())
        return
    table(*result.table())
    for sentence in result.notes:
        typer.echo(sentence)
