"""`lexigraft dictionary`: bilingual dictionaries made of other formats or of parallel text, and a look at them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from lexigraft.cli.options import Json
from lexigraft.cli.output import pairs, print_json, table

app = typer.Typer(no_args_is_help=True, help="Build a bilingual dictionary, and look at it.", rich_markup_mode=None)

Format = Annotated[
    Literal["tsv", "muse", "panlex", "dictd", "stardict"] | None,
    typer.Option(help="The files' format; by default .tsv, .txt (MUSE), .dict and .index (dictd), .ifo (StarDict)."),
]
Languages = Annotated[
    tuple[str, str] | None, typer.Option(metavar="SOURCE TARGET", help="The two languages of PanLex-like files.")
]


@app.command()
def build(
    out: Annotated[Path, typer.Option(help="The TSV file to write.")],
    files: Annotated[
        list[Path] | None, typer.Argument(help="Dictionaries with the languages in the same order.")
    ] = None,
    format: Format = None,
    languages: Languages = None,
    pivot: Annotated[
        list[Path] | None,
        typer.Option(help="A dictionary with the same first column: its second column is the target; repeatable."),
    ] = None,
    invert: Annotated[bool, typer.Option("--invert", help="Exchange the columns.")] = False,
    case: Annotated[Literal["keep", "lower"], typer.Option(help="Lower-case every word.")] = "keep",
    multiword: Annotated[
        Literal["keep", "drop", "first"], typer.Option(help="Entries of several words, or their first word alone.")
    ] = "keep",
    from_parallel: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="SOURCE TARGET", help="Two texts, aligned line by line, in place of dictionaries."),
    ] = None,
    min_count: Annotated[int, typer.Option(help="Links of two words at least.", min=1)] = 3,
    min_probability: Annotated[
        float, typer.Option(help="Least share of a source word's links that go to the target word.", min=0, max=1)
    ] = 0.1,
    aligner: Annotated[Literal["builtin", "eflomal"], typer.Option(help="The word aligner.")] = "builtin",
    force: Annotated[bool, typer.Option(help="Replace the output file if it exists.")] = False,
    json: Json = False,
) -> None:
    """Write a dictionary as TSV: source, target and, from parallel text, how often they were linked."""
    from lexigraft.api.dictionary.build import BuildSettings, build_dictionary

    settings = BuildSettings(format, languages, invert, case, multiword, min_count, min_probability, aligner)
    made = build_dictionary(
        files or (), out, settings, pivot=pivot or (), parallel=from_parallel, force=force
    )  # fmt: skip
    if json:
        print_json(made.as_json())
        return
    pairs({"out": made.out} | {name: f"{count:,}" for name, count in made.counts.items()})


@app.command()
def show(
    file: Annotated[Path, typer.Argument(help="A dictionary.")],
    format: Format = None,
    languages: Languages = None,
    entries: Annotated[int, typer.Option(help="How many of the first entries are shown.", min=0)] = 10,
    tokenizer: Annotated[
        str | None, typer.Option(help="A tokenizer whose tokens the words may reach: a folder, file or Hub name.")
    ] = None,
    corpus: Annotated[
        list[str] | None, typer.Option(help="Text in which the words are looked for; repeatable.")
    ] = None,
    text_field: Annotated[str, typer.Option(help="The field or column that holds the text.")] = "text",
    json: Json = False,
) -> None:
    """Show a dictionary's first entries and sizes, and what of a tokenizer and of a text its columns cover."""
    from lexigraft.api.dictionary.show import dictionary_facts

    found = dictionary_facts(
        file, format=format, languages=languages, tokenizer=tokenizer, corpus=corpus or (), text_field=text_field
    )
    if json:
        print_json(found.as_json(entries))
        return
    weights = found.dictionary.weights
    rows = [(*pair, "" if weights is None else weights[n]) for n, pair in enumerate(found.dictionary.pairs[:entries])]
    if rows:
        table(("source", "target", "count"), rows)
    pairs({"entries": f"{len(found.dictionary):,}", "rejected": f"{found.dictionary.rejected:,}"})
    source, target = found.columns["source"], found.columns["target"]
    names = {(group, name): f"{group}: {name}" for group, values in source.items() for name in values}
    facts = [(shown, f"{source[g][name]:,}", f"{target[g][name]:,}") for (g, name), shown in names.items()]
    table(("", "source", "target"), [(shown.replace("_", " "), *values) for shown, *values in facts])
