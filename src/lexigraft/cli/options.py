"""Options that several commands share, and the reading of `KEY=VALUE` pairs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from lexigraft.core.errors import LexigraftError

_COMMA = re.compile(r",(?![^\[]*\])")
"""Between two options; not within a list."""

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


Sets = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Set a field; repeatable.")]


Corpus = Annotated[list[str], typer.Option(help="Text: .txt, .jsonl, .parquet, .gz, a folder or a glob; repeatable.")]


Out = Annotated[Path, typer.Option(help="The folder to write.")]


Force = Annotated[bool, typer.Option(help="Replace the output folder if it exists.")]


AllowMissing = Annotated[
    list[str] | None,
    typer.Option(metavar="PATTERN", help="Tensors that the checkpoint may lack (lm_head.*): they are random."),
]


def sections(pairs: Sequence[str] | None) -> dict[str, dict[str, Any]]:
    """``name.key=value`` pairs, by name; values as for :func:`assignments`.

    Raises:
        LexigraftError: A pair without ``=``, or without a name.
    """
    parsed: dict[str, dict[str, Any]] = {}
    for path, value in assignments(pairs, "--input").items():
        name, dot, key = path.partition(".")
        if not dot or not key:
            raise LexigraftError("--input needs need.key=value", path, "For example --input my_need.path=file.tsv")
        parsed.setdefault(name, {})[key] = value
    return parsed


def plugin_entries(specs: Sequence[str] | None, option: str) -> list[dict[str, dict[str, Any]]]:
    """Plug-ins with their options, given as ``name`` or ``name:key=value,key=value``.

    Args:
        specs: The values of the option; those of a plug-in's options are read as by :func:`assignments`.
        option: Its name, for messages.

    Raises:
        LexigraftError: An option of a plug-in without ``=``.
    """
    entries = []
    for spec in specs or []:
        name, _, options = spec.partition(":")
        entries.append({name: assignments(_COMMA.split(options), option) if options else {}})
    return entries


def named_files(pairs: Sequence[str] | None, option: str) -> dict[str, list[str]]:
    """``name=file`` pairs, the files by name; a name may be repeated.

    Args:
        pairs: The values of the option.
        option: Its name, for messages.

    Raises:
        LexigraftError: A pair without ``=``.
    """
    found: dict[str, list[str]] = {}
    for pair in pairs or []:
        name, equals, path = pair.partition("=")
        if not equals or not name:
            raise LexigraftError(f"{option} needs name=file", pair, f"For example {option} dictionary=words.tsv")
        found.setdefault(name, []).append(path)
    return found


def assignments(pairs: Sequence[str] | None, option: str = "--set") -> dict[str, Any]:
    """``key=value`` pairs; values are read as YAML scalars or lists.

    Args:
        pairs: The values of the option.
        option: Its name, for messages.

    Raises:
        LexigraftError: A pair without ``=``.
    """
    from lexigraft.core.config.yaml_text import read_yaml

    parsed: dict[str, Any] = {}
    for pair in pairs or []:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise LexigraftError(f"{option} needs key=value", pair, "For example --set temperature=0.5")
        try:
            parsed[key] = read_yaml(value, pair)
        except LexigraftError:
            parsed[key] = value
    return parsed
