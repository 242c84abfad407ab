"""Findings of a check, each marked good, note or bad."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from lexigraft.core.errors import LexigraftError


class Mark(StrEnum):
    """Severity of a finding."""

    GOOD = "✓"
    NOTE = "!"
    BAD = "✗"


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's output.

    Attributes:
        mark: Its severity.
        what: What was found, and what to do where something is wrong.
    """

    mark: Mark
    what: str


@dataclass(frozen=True)
class Examined:
    """All findings.

    Attributes:
        findings: The lines, in the order of the checks.
    """

    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing would fail."""
        return _healthy(self.findings)

    def as_json(self) -> dict[str, Any]:
        """The form that ``doctor --json`` prints."""
        shown = [{"mark": f.mark.name.lower(), "what": f.what} for f in self.findings]
        return {"healthy": self.healthy, "findings": shown}


@dataclass
class Findings:
    """Collects the findings of the checks."""

    findings: list[Finding] = field(default_factory=list)

    @property
    def healthy(self) -> bool:
        """Whether nothing found so far would fail."""
        return _healthy(self.findings)

    def good(self, what: str) -> None:
        """Note something that is as it should be, once."""
        self._add(Mark.GOOD, what)

    def note(self, what: str) -> None:
        """Note something worth knowing that stops nothing, once."""
        self._add(Mark.NOTE, what)

    def bad(self, what: str) -> None:
        """Note something that would fail, once."""
        self._add(Mark.BAD, what)

    def _add(self, mark: Mark, what: str) -> None:
        if all(f.what != what for f in self.findings):
            self.findings.append(Finding(mark, what))

    @contextmanager
    def collect_errors(self) -> Iterator[None]:
        """Turn a LexigraftError raised in the block into a finding."""
        try:
            yield
        except LexigraftError as error:
            self.bad(str(error))

    def try_(self, check: Callable[[], Any]) -> Any:
        """The result of a check, or ``None`` where it raised a LexigraftError, which becomes a finding."""
        with self.collect_errors():
            return check()
        return None


def _healthy(findings: Iterable[Finding]) -> bool:
    return all(f.mark is not Mark.BAD for f in findings)
