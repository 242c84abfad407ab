"""`lexigraft graft`: change a model's vocabulary."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lexigraft.cli.options import AllowMissing, Json, Sets, assignments, sections
from lexigraft.cli.output import pairs, print_json
from lexigraft.core.errors import LexigraftError

if TYPE_CHECKING:
    from lexigraft.api.graft import GraftResult


def graft(
    source: Annotated[str, typer.Option(help="Source model: a folder or Hub name.")],
    target_tokenizer: Annotated[str, typer.Option(help="Target tokenizer: a folder, a tokenizer file or a Hub name.")],
    out: Annotated[Path, typer.Option(help="The folder to write.")],
    strategy: Annotated[
        str, typer.Option(help="A strategy, or several by commas, tried in order; auto tries several on --corpus.")
    ] = "auto",
    set_: Sets = None,
    corpus: Annotated[list[str] | None, typer.Option(help="Target text; repeatable.")] = None,
    target_vectors: Annotated[str | None, typer.Option(help="Vectors of target tokens: .bin, .vec or .npz.")] = None,
    vectors_preset: Annotated[str, typer.Option(help="Settings of trained vectors: lexigraft or focus.")] = "lexigraft",
    vectors_epochs: Annotated[
        int | None, typer.Option(help="Epochs of fastText. Without: 3 to 20, the less text, the more.")
    ] = None,
    all_but_the_top: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Center the vectors and remove their N leading principal directions; 0 only centers."
        ),
    ] = None,
    vectors_level: Annotated[str, typer.Option(help="What a vectors file holds: token or word vectors.")] = "token",
    extend_tokenizer: Annotated[
        str | None, typer.Option(help="FOCUS's extend mode: the language's own tokenizer.")
    ] = None,
    source_corpus: Annotated[
        list[str] | None, typer.Option(help="Source-language text, to train word vectors on; repeatable.")
    ] = None,
    word_vectors: Annotated[
        str | None, typer.Option(help="Word vectors of the target language: .bin, .vec or .npz; with --source-vectors.")
    ] = None,
    source_vectors: Annotated[str | None, typer.Option(help="Word vectors of the source language.")] = None,
    shared_space: Annotated[bool, typer.Option(help="The two files of word vectors already lie in one space.")] = False,
    dictionary: Annotated[str | None, typer.Option(help="Word pairs, source TAB target.")] = None,
    reverse_dictionary: Annotated[bool, typer.Option(help="The dictionary is target TAB source.")] = False,
    parallel_source: Annotated[
        list[str] | None, typer.Option(help="Source sentences; line n is translated by line n of --parallel-target.")
    ] = None,
    parallel_target: Annotated[list[str] | None, typer.Option(help="Target sentences, line by line.")] = None,
    poor_model: Annotated[str | None, typer.Option(help="A model pre-trained on target text (TEMA).")] = None,
    donor: Annotated[str | None, typer.Option(help="A model that already uses the target tokenizer.")] = None,
    gold_links: Annotated[str | None, typer.Option(help="True word links of a cloned language.")] = None,
    input_: Annotated[
        list[str] | None,
        typer.Option("--input", metavar="NEED.KEY=VALUE", help="An input of a need that another package brings."),
    ] = None,
    rule: Annotated[
        list[str] | None, typer.Option(help="Relaxed match rule: byte_piece, no_space, case_fold, nfc.")
    ] = None,
    norm_calibration: Annotated[str, typer.Option(help="none, anchors or script.")] = "none",
    fallback: Annotated[str, typer.Option(help="Rows that nobody covers: normal or mean.")] = "normal",
    seed: Annotated[int, typer.Option(help="Decides everything random.", min=0, max=2**32 - 1)] = 0,
    memory_budget: Annotated[str | None, typer.Option(help="Memory for one block of work, such as 2GB.")] = None,
    device: Annotated[str, typer.Option(help="Where strategies that learn compute: auto, cpu, cuda, ...")] = "auto",
    text_model: Annotated[
        str | None,
        typer.Option(
            metavar="PATH", help="Path of the text model in one that reads images too, where it is not found."
        ),
    ] = None,
    allow_missing: AllowMissing = None,
    force: Annotated[bool, typer.Option(help="Replace the output folder if it exists.")] = False,
    json: Json = False,
) -> None:
    """Change a model's vocabulary and write a folder that plain transformers loads."""
    from lexigraft.api.graft import graft as run
    from lexigraft.core.config.base import validate
    from lexigraft.core.config.recipe import (
        DictionarySettings,
        GraftSettings,
        ParallelSettings,
        VectorSettings,
        WordVectorSettings,
    )

    vectors = {
        "file": target_vectors,
        "preset": vectors_preset,
        "epochs": vectors_epochs,
        "all_but_the_top": all_but_the_top,
        "level": vectors_level,
        "extend_tokenizer": extend_tokenizer,
    }
    settings = {
        "rules": rule or [],
        "norm_calibration": norm_calibration,
        "fallback": fallback,
        "memory_budget": memory_budget,
        "device": device,
        "text_model": text_model,
    }
    words = {"source": source_vectors, "target": word_vectors, "shared": shared_space}
    sides = {"source": parallel_source or [], "target": parallel_target or []}
    if bool(parallel_source) != bool(parallel_target):
        raise LexigraftError(
            "parallel text needs both sides",
            ", ".join(sides["source"] + sides["target"]),
            "Give --parallel-source and --parallel-target",
        )
    done = run(
        source,
        target_tokenizer,
        strategy,
        out=out,
        fields=assignments(set_),
        corpus=corpus,
        target_vectors=validate(VectorSettings, vectors, "vectors"),
        source_corpus=source_corpus,
        word_vectors=validate(WordVectorSettings, words, "word vectors"),
        dictionary=DictionarySettings(path=[dictionary], reverse=reverse_dictionary) if dictionary else None,
        parallel=validate(ParallelSettings, sides, "parallel text") if parallel_source else None,
        poor_model=poor_model,
        donor=donor,
        gold_links=gold_links,
        inputs=sections(input_),
        allow_missing=allow_missing or (),
        seed=seed,
        settings=validate(GraftSettings, settings, "graft"),
        force=force,
    )
    print_json(done.as_json()) if json else _show(done)


def _show(done: GraftResult) -> None:
    before = done.facts["source"]
    padding = before["rows"] - before["tokens"]
    matched = ", ".join(f"{rule} {n:,}" for rule, n in done.matched.items() if n)
    pairs(
        {
            "strategy": f"{done.strategy} (body: {done.body})",
            "source rows": f"{before['rows']:,}" + (f", {padding:,} of them padding, left out" if padding else ""),
            "target tokens": f"{done.target_tokens:,}",
            "matched": matched or "none",
            "new": f"{done.new:,}, of which {done.covered:,} covered by the strategy",
            **({"re-estimated": f"{done.re_estimated:,} matched tokens"} if done.re_estimated else {}),
            "fallback": f"{done.fallback:,}",
            **({"learned on": f"{done.learned_tokens:,} tokens"} if done.learned_tokens else {}),
            "seconds": ", ".join(f"{stage} {taken:.2f}" for stage, taken in done.seconds.items()),
            "peak memory": f"{done.peak_rss_bytes / 1e9:.2f} GB",
            "written to": done.out,
        }
    )
    for sentence in done.notes:
        typer.echo(f"note: {sentence}")
