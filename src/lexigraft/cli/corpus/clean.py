"""`lexigraft corpus clean`: text without repetitions, other languages and evaluation text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from lexigraft.cli.corpus.line_progress import line_progress
from lexigraft.cli.options import Json
from lexigraft.cli.output import pairs, print_json, printable


def clean(
    text: Annotated[list[str], typer.Argument(help="Text: .txt, .jsonl, .csv, .parquet, .gz, a folder or a glob.")],
    out: Annotated[Path, typer.Option(help="The file to write: .txt, .jsonl, or one of them with .gz.")],
    duplicates: Annotated[
        Literal["exact", "near", "off"], typer.Option(help="Repeated lines, similar lines as well, or none.")
    ] = "exact",
    similarity: Annotated[
        float, typer.Option(help="Least Jaccard similarity of near duplicates.", min=0.5, max=0.95)
    ] = 0.8,
    min_chars: Annotated[int, typer.Option(help="Drop shorter lines.", min=1)] = 1,
    max_chars: Annotated[int | None, typer.Option(help="Drop longer lines.", min=1)] = None,
    script: Annotated[
        list[str] | None, typer.Option(help="Drop lines mostly in other scripts than this: Latn; repeatable.")
    ] = None,
    script_share: Annotated[
        float, typer.Option(help="Least share of a line's letters in these scripts.", min=0, max=1)
    ] = 0.5,
    language: Annotated[str | None, typer.Option(help="Drop lines of other languages: quy_Latn.")] = None,
    language_model: Annotated[
        Path | None, typer.Option(help="A fastText model that identifies languages: GlotLID's model.bin.")
    ] = None,
    min_probability: Annotated[float, typer.Option(help="Least probability of the language.", min=0, max=1)] = 0.0,
    without: Annotated[
        list[str] | None, typer.Option(help="Evaluation text that must not be in the output; repeatable.")
    ] = None,
    recipe: Annotated[
        Path | None, typer.Option(help="A comparison whose held-out texts and tasks must not be in the output.")
    ] = None,
    overlap: Annotated[
        Literal["remove", "refuse"], typer.Option(help="What becomes of text that holds evaluation text.")
    ] = "remove",
    text_field: Annotated[str, typer.Option(help="The field or column that holds the text.")] = "text",
    examples: Annotated[int, typer.Option(help="Dropped lines that are shown of each reason.", min=0)] = 3,
    force: Annotated[bool, typer.Option(help="Replace the output file if it exists.")] = False,
    json: Json = False,
) -> None:
    """Write the lines of a text that pass every filter, in their order; count the others by reason."""
    from lexigraft.api.corpus.clean import CleanSettings, clean_text, evaluation_sets

    settings = CleanSettings(
        duplicates=duplicates, similarity=similarity, min_chars=min_chars, max_chars=max_chars,
        scripts=tuple(script or ()), script_share=script_share, language=language, language_model=language_model,
        min_probability=min_probability, overlap=overlap,
    )  # fmt: skip
    unseen = evaluation_sets(without or (), recipe, text_field)
    with line_progress("cleaning") as progress:
        made = clean_text(
            text, out, settings, evaluation=unseen, text_field=text_field, examples=examples, force=force,
            progress=progress,
        )  # fmt: skip
    if json:
        print_json(made.as_json())
        return
    counts = {"lines": made.lines, "kept": made.kept, "bytes": made.bytes}
    counts |= {f"dropped: {reason}": count for reason, count in made.dropped.items()}
    counts |= {f"  {name}": count for name, count in made.evaluation.items()}
    pairs({"out": made.out} | {name: f"{count:,}" for name, count in counts.items()})
    for reason, lines in made.examples.items():
        for line in lines:
            typer.echo(f"{reason}: {printable(line[:80])}")
