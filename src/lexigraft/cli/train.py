"""`lexigraft pretrain` and `adapt`: the training of models before and after a graft."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lexigraft.cli.options import (
    AllowMissing,
    Corpus,
    Force,
    Json,
    Out,
    Sets,
    assignments,
    named_files,
    plugin_entries,
)
from lexigraft.cli.output import pairs, print_json, say
from lexigraft.core.utils.distributed import processes

if TYPE_CHECKING:
    from lexigraft.api.adapt import AdaptResult
    from lexigraft.api.pretrain import PretrainResult

Track = Annotated[bool, typer.Option("--track", help="Log the run in MLflow: MLFLOW_TRACKING_URI, or ./mlflow.db.")]
Work = Annotated[Path | None, typer.Option(help="Where checkpoints go; an interrupted run goes on from there.")]


def _set_options(**values: Any) -> dict[str, Any]:
    """The options that the user gave; the others keep the defaults of the settings."""
    return {key: value for key, value in values.items() if value is not None}


def _report(
    kind: str,
    out: Path,
    parameters: dict[str, Any],
    result: AdaptResult | PretrainResult,
    *,
    track: bool,
    as_json: bool,
) -> None:
    """Log and print the result; of several processes only the first does."""
    if not processes().first:
        return
    if track:
        from lexigraft.api.tracking import track as log

        if message := log(kind, out, parameters, result):
            say(message)
    print_json(result.as_json()) if as_json else pairs(result.as_json())


def pretrain(
    corpus: Corpus,
    tokenizer: Annotated[str, typer.Option(help="Tokenizer: a folder, a tokenizer file or a Hub name.")],
    out: Out,
    preset: Annotated[str, typer.Option(help="A shape by name, or a config.json.")] = "roberta-tiny",
    objective: Annotated[str | None, typer.Option(help="masked or causal; by default what suits the shape.")] = None,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps.")] = None,
    batch_tokens: Annotated[int | None, typer.Option(help="Tokens a step.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak learning rate.")] = None,
    seed: Annotated[int, typer.Option(help="Decides everything random.", min=0, max=2**32 - 1)] = 0,
    checkpoint_every: Annotated[int | None, typer.Option(help="Steps between checkpoints; 0 for none.")] = None,
    work: Work = None,
    set_: Sets = None,
    track: Track = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Train a model from scratch for a corpus and a tokenizer (TEMA's first act)."""
    from lexigraft.api.pretrain import pretrain as run
    from lexigraft.core.config.base import validate
    from lexigraft.core.config.recipe import PretrainSettings

    options = _set_options(
        preset=preset, objective=objective, steps=steps, batch_tokens=batch_tokens, learning_rate=learning_rate,
        seed=seed, checkpoint_every=checkpoint_every,
    )  # fmt: skip
    settings = validate(PretrainSettings, options | assignments(set_), "pretrain")
    result = run(corpus, tokenizer, out=out, settings=settings, work=work, force=force, say=say)
    _report("pretrain", out, settings.model_dump(mode="json"), result, track=track, as_json=json)


def adapt(
    model: Annotated[str, typer.Argument(help="The model: a folder or Hub name.")],
    corpus: Corpus,
    out: Out,
    objective: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[:KEY=VALUE,…]", help="masked, causal, translico, …; by default what suits the model."
        ),
    ] = None,
    objective_file: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FILE", help="What the objective reads besides the text; repeatable."),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps.")] = None,
    batch_tokens: Annotated[int | None, typer.Option(help="Tokens a step.")] = None,
    sequence_length: Annotated[int | None, typer.Option(help="Tokens a sequence.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak learning rate.")] = None,
    embeddings: Annotated[str | None, typer.Option(help="full, new_rows, lora or frozen.")] = None,
    head: Annotated[str | None, typer.Option(help="full, new_rows, lora or frozen.")] = None,
    body: Annotated[str | None, typer.Option(help="lora, frozen, full or top_bottom:N.")] = None,
    lora_rank: Annotated[int | None, typer.Option(help="Rank of LoRA.")] = None,
    augment: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[:KEY=VALUE,…]", help="Change the training text by an augmenter; repeatable."),
    ] = None,
    heldout: Annotated[list[str] | None, typer.Option(help="Held-out text, measured before and after.")] = None,
    export: Annotated[str, typer.Option(help="merged, adapter or both.")] = "merged",
    seed: Annotated[int, typer.Option(help="Decides everything random.", min=0, max=2**32 - 1)] = 0,
    checkpoint_every: Annotated[int | None, typer.Option(help="Steps between checkpoints; 0 for none.")] = None,
    work: Work = None,
    allow_missing: AllowMissing = None,
    set_: Sets = None,
    track: Track = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Continue pre-training on target text: LoRA on the body, embeddings as said."""
    from lexigraft.api.adapt import adapt as run
    from lexigraft.core.config.base import validate
    from lexigraft.core.config.recipe import AdaptSettings

    [(name, keys)] = plugin_entries([objective or ""], "--objective")[0].items()
    options = _set_options(
        objective=name or None, objective_options=keys or None,
        objective_files=named_files(objective_file, "--objective-file") or None,
        steps=steps, batch_tokens=batch_tokens, sequence_length=sequence_length,
        learning_rate=learning_rate, embeddings=embeddings, head=head, body=body, lora_rank=lora_rank, seed=seed,
        checkpoint_every=checkpoint_every, augment=plugin_entries(augment, "--augment") or None,
    )  # fmt: skip
    settings = validate(AdaptSettings, options | assignments(set_), "adapt")
    result = run(
        model, corpus, out=out, settings=settings, heldout=heldout, export=export, work=work, force=force,
        allow_missing=allow_missing or (), say=say,
    )  # fmt: skip
    _report("adapt", out, settings.model_dump(mode="json"), result, track=track, as_json=json)
