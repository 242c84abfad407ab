"""Exit codes of the command line, 2 for a user's mistake and 1 for a fault of ours."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

import typer

from lexigraft.cli.library_errors import as_user_error
from lexigraft.cli.output import print_json, say
from lexigraft.core.errors import LexigraftError
from lexigraft.core.utils.distributed import processes
from lexigraft.core.utils.secrets import masked, masked_uris

_WAIT_SECONDS = 20


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
