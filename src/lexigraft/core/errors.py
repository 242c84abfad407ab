"""Errors that users see."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class LexigraftError(Exception):
    """A user's mistake or a missing piece.

    It is shown as one message with exit code 2, never as a traceback.

    Args:
        what: What is wrong, one sentence without a final stop.
        value: The offending value, if there is one.
        hint: What to do about it.
    """

    def __init__(self, what: str, value: object = None, hint: str = "") -> None:
        self.what, self.value, self.hint = what, value, hint
        shown = what if value is None else f"{what}: {value}"
        super().__init__(f"{shown}. {hint}" if hint else shown)

    def __reduce__(self) -> tuple[type[LexigraftError], tuple[Any, ...]]:
        """Pickle all arguments, for errors of worker processes (exceptions otherwise pickle only their message)."""
        return type(self), (self.what, self.value, self.hint)

    def as_dict(self) -> dict[str, object]:
        """The JSON form printed by ``--json``."""
        value = self.value if isinstance(self.value, str | int | float | bool | list | None) else str(self.value)
        return {"error": self.what, "value": value, "hint": self.hint}


class UnknownName(LexigraftError):
    """A name that does not exist, with the closest match as a hint.

    Args:
        kind: The kind of name that was looked up ("strategy", "field", "recipe key").
        name: The name as given.
        known: The names that exist.
        hint: What else may help.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = "") -> None:
        self.kind, self.name, self.known, self.further = kind, name, sorted(known), hint
        super().__init__(f"unknown {kind}", name, did_you_mean(name, self.known) + (f" ({hint})" if hint else ""))

    def __reduce__(self) -> tuple[type[UnknownName], tuple[Any, ...]]:
        """Pickle the constructor's own arguments."""
        return UnknownName, (self.kind, self.name, self.known, self.further)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """One sentence that names the closest known name, or all of them when none is close."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"Did you mean '{close[0]}'?" if close else f"Known: {', '.join(names) or 'none'}"
