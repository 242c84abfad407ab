"""Output of the command line: results on standard output, progress and errors on standard error, JSON on request."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import typer

from lexigraft.cli.outside_errors import as_user_error
from lexigraft.core.errors import LexigraftError
from lexigraft.core.utils.distributed import processes
from lexigraft.core.utils.secrets import masked, masked_uris

_WAIT_SECONDS = 20

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Sets = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Set a field; repeatable.")]
AllowMissing = Annotated[
    list[str] | None,
    typer.Option(metavar="PATTERN", help="Tensors that the checkpoint may lack (lm_head.*): they are random."),
]


def print_json(value: Any) -> None:
    """Print one JSON document on standard output."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def say(text: str) -> None:
    """Print a progress line on standard error; of several processes only the first prints."""
    if processes().first:
        typer.echo(text, err=True)


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


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a plain table on standard output."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    shown = Table(*columns, box=box.SIMPLE)
    for row in rows:
        shown.add_row(*("" if cell is None else str(cell) for cell in row))
    Console(width=None if sys.stdout.isatty() else 160).print(shown)


def pairs(values: Mapping[str, object]) -> None:
    """Print names and values, aligned, on standard output."""
    width = max(map(len, values), default=0)
    for key, value in values.items():
        typer.echo(f"{key:<{width}}  {value}")


def guarded(run: Callable[[], Any], as_json: bool) -> int:
    """Run a command; a user's mistake becomes one message and exit code 2, never a traceback.

    So does an error of another library over a user's file; a traceback is left for faults of our own.

    Args:
        run: The command.
        as_json: Whether errors are printed as JSON.

    Returns:
        The exit code.
    """
    try:
        run()
    except LexigraftError as error:
        return _fail(error, as_json)
    except KeyboardInterrupt:
        say("\nInterrupted. Nothing finished is lost; the same command goes on from there.")
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except BaseException as error:
        if (shown := as_user_error(error)) is None:
            raise
        return _fail(shown, as_json)
    return 0


def _fail(error: LexigraftError, as_json: bool) -> int:
    if processes().local_index:
        # The first process of this machine meets the same error and prints it; the launcher then ends this one. An
        # error of this process alone is printed after the wait.
        time.sleep(_WAIT_SECONDS)
    if as_json:
        print_json(masked_uris(error.as_dict()))
    else:
        typer.secho(masked(f"error: {error}"), fg=typer.colors.RED if sys.stderr.isatty() else None, err=True)
    return 2
