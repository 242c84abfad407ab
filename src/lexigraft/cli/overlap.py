"""`lexigraft overlap`: tokens and words that two texts share."""

from __future__ import annotations

from typing import Annotated

import typer

from lexigraft.cli.options import Json
from lexigraft.cli.output import print_json, table


def overlap(
    donor: Annotated[str, typer.Argument(help="Text of the donor language: a file, glob or folder.")],
    target: Annotated[str, typer.Argument(help="Text of the target language.")],
    tokenizer: Annotated[
        str | None, typer.Option(help="The tokenizer: a folder, file or Hub name; whole words by default.")
    ] = None,
    max_lines: Annotated[
        int | None, typer.Option(help="Lines of each text at most, chosen evenly over it.", min=1)
    ] = None,
    evaluation: Annotated[
        list[str] | None, typer.Option(help="Evaluation text that the donor's text must not hold; repeatable.")
    ] = None,
    text_field: Annotated[str, typer.Option(help="The field or column that holds the text.")] = "text",
    json: Json = False,
) -> None:
    """Show how much of a target's text a donor's text covers, by types and by frequency."""
    from lexigraft.api.transfer.overlap import overlap as run

    found = run(
        [donor], [target], tokenizer=tokenizer, max_lines=max_lines, evaluation=evaluation or (), text_field=text_field
    )
    if json:
        print_json(found.as_json())
        return
    shared, copied, unit = found.overlap, found.copied, "words" if tokenizer is None else "tokens"
    counted = f"{shared.shared_types:,} of {shared.target.token_types:,}"
    typer.echo(
        f"Of the target's {unit} the donor's text has {shared.by_types:.1%} by types ({counted}) and "
        f"{shared.by_mass:.1%} by frequency."
    )
    one, two = shared.donor, shared.target
    rows = [
        ("lines", f"{one.lines:,}", f"{two.lines:,}"),
        ("bytes", f"{one.bytes:,}", f"{two.bytes:,}"),
        ("words", f"{one.words:,}", f"{two.words:,}"),
        ("different words", f"{one.word_types:,}", f"{two.word_types:,}"),
        (
            f"different words over words, first {shared.compared_words:,}",
            f"{shared.donor_type_token_ratio:.3f}",
            f"{shared.target_type_token_ratio:.3f}",
        ),
    ]
    if tokenizer is not None:
        rows += [
            ("tokens", f"{one.tokens:,}", f"{two.tokens:,}"),
            ("different tokens", f"{one.token_types:,}", f"{two.token_types:,}"),
            ("bytes and fragments of characters", f"{one.fragment_share:.2%}", f"{two.fragment_share:.2%}"),
            ("unknown tokens", f"{one.unknown_share:.2%}", f"{two.unknown_share:.2%}"),
        ]
    table(("", "donor", "target"), rows)
    typer.echo(
        f"13-gram check: {len(copied.copied_lines):,} of {copied.lines:,} target lines share a sequence of 13 words "
        f"(the whole line where it has 5 to 12) with the donor's text; {copied.short_lines:,} are too short to tell."
    )
    for note in found.notes:
        typer.echo(note)
