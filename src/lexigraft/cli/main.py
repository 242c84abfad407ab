"""The `lexigraft` command with its subcommands."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any

import typer
from typer.main import get_command

from lexigraft.cli import (
    align,
    analyze,
    benchmark,
    cell,
    compare,
    corpus,
    dictionary,
    doctor,
    donors,
    evaluate,
    explain,
    graft,
    mix_adapters,
    overlap,
    remote,
    tokenizer,
    train,
    transfer,
)
from lexigraft.cli.exit_codes import guarded
from lexigraft.cli.plugins import augmenters, evaluators, objectives, strategies
from lexigraft.core.errors import LexigraftError
from lexigraft.core.utils.distributed import processes

_DISTRIBUTED = ("adapt", "pretrain", "cell run")
"""The commands whose work a launcher can spread over processes."""

app = typer.Typer(
    name="lexigraft",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Give a pre-trained language model a new vocabulary; compare the ways to do it.",
)
app.command("demo")(compare.demo)
app.command("graft")(graft.graft)
app.command("adapt")(train.adapt)
app.command("mix-adapters")(mix_adapters.mix_adapters)
app.command("pretrain")(train.pretrain)
app.command("evaluate")(evaluate.evaluate)
app.command("transfer")(transfer.transfer)
app.command("compare")(compare.compare)
app.command("report")(compare.report)
app.command("benchmark")(benchmark.benchmark)
app.command("align")(align.align)
app.command("explain")(explain.explain)
app.command("doctor")(doctor.doctor)
app.command("overlap")(overlap.overlap)
app.command("donors")(donors.donors)
app.command("analyze")(analyze.analyze)
app.add_typer(tokenizer.app, name="tokenizer")
app.add_typer(corpus.app, name="corpus")
app.add_typer(dictionary.app, name="dictionary")
app.add_typer(cell.app, name="cell")
app.add_typer(remote.app, name="remote")
app.add_typer(strategies.app, name="strategies")
app.add_typer(objectives.app, name="objectives")
app.add_typer(evaluators.app, name="evaluators")
app.add_typer(augmenters.app, name="augmenters")


def _version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        typer.echo(version("lexigraft"))
        raise typer.Exit


@app.callback()
def _everywhere(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Give a pre-trained language model a new vocabulary; compare the ways to do it."""
    known = (*_DISTRIBUTED, "cell")  # which looks for itself
    if context.invoked_subcommand not in known and processes().count > 1:
        raise LexigraftError(
            "this command runs in one process",
            context.invoked_subcommand,
            f"Launchers are for {', '.join(_DISTRIBUTED)}; start the others without one",
        )


def main() -> None:
    """Run the command line and leave with its exit code."""
    # OpenMP threads that wait actively occupy the cores that other threads need: where anything else runs on the
    # machine, many small operations take ten times as long. It must be set before torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    if processes().count > 1:
        # Else every process warns that it searched for parameters without gradients and found none.
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    _leave_on_hangup()
    as_json = "--json" in sys.argv[1:]
    code: list[int] = [0]

    def run() -> None:
        outcome = _invoke(as_json)
        code[0] = outcome if isinstance(outcome, int) else 0

    failed = guarded(run, as_json)
    sys.exit(failed or code[0])


def _leave_on_hangup() -> None:
    """Let a closed terminal end the command as an error does, so that half-written folders are deleted; nohup stays."""
    hangup = getattr(signal, "SIGHUP", None)
    if hangup is None or threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(hangup) == signal.SIG_DFL:
        signal.signal(hangup, lambda number, frame: sys.exit(128 + number))


@cache
def _command() -> Callable[..., Any]:
    """All commands as typer puts them together, once in a process: it takes a tenth of a second."""
    return get_command(app)


def _invoke(as_json: bool) -> Any:
    """Run typer; where JSON is asked for, its usage errors become LexigraftError, else typer prints them itself.

    In all but the first of several processes they become LexigraftError too, so that they are printed once.
    """
    if not (as_json or processes().local_index):
        return _exit_code(lambda: _command()(standalone_mode=True))
    try:
        return _command()(standalone_mode=False)
    except Exception as error:
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):
            raise LexigraftError("the command line is not valid", error.format_message(), "See --help") from None
        raise


def _exit_code(run: Any) -> int:
    try:
        run()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    return 0
