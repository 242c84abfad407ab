"""Progress of long loops on a terminal, for commands that ask for it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_SHOWN: ContextVar[bool] = ContextVar("progress is shown", default=False)


@contextmanager
def showing_progress() -> Iterator[None]:
    """Let loops inside the block show their progress; training, which shows a bar of its own, must not run in it."""
    before = _SHOWN.set(sys.stderr.isatty())
    try:
        yield
    finally:
        _SHOWN.reset(before)


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A function that tells how many more are done, with a bar where :func:`showing_progress` holds.

    Args:
        what: What is counted.
        total: How many there are.
    """
    if not _SHOWN.get():
        yield lambda more: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda more: bar.advance(task, more)
