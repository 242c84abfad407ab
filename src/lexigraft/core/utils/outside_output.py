"""Output of other libraries, of which only errors and progress are shown."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def only_errors_shown(*loggers: str) -> Iterator[None]:
    """Silence warnings, and loggers below errors; what is not for a terminal gets no progress bars either.

    Args:
        *loggers: Names of the libraries' loggers.
    """
    named = [logging.getLogger(name) for name in loggers]
    levels = [logger.level for logger in named]
    shown = contextlib.nullcontext() if sys.stderr.isatty() else contextlib.redirect_stderr(io.StringIO())
    try:
        for logger in named:
            logger.setLevel(logging.ERROR)
        with shown, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(named, levels, strict=True):
            logger.setLevel(level)
