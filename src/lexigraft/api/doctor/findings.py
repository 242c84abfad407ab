"""What a look at the machine or a recipe found: lines with a mark, collected, none of them an exception."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from lexigraft.core.errors import LexigraftError


class Mark(StrEnum):
    """How a finding counts: as it should be, worth knowing, or something that would fail."""

    GOOD = "✓"
    NOTE = "!"
    BAD = "✗"


@dataclass(frozen=True)
class Finding:
    """One line.

    Attributes:
        mark: How it counts.
        what: What was found, and what to do where something is wrong.
    """

    mark: Mark
    what: str


@dataclass(frozen=True)
class Examined:
    """Everything found.

    Attributes:
        findings: The lines, in the order of looking.
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
    """Collects findings while one looks around."""

    findings: list[Finding] = field(default_factory=list)

    @property
    def healthy(self) -> bool:
        """Whether nothing found so far would fail."""
        return _healthy(self.findings)

    def good(self, what: str) -> None:
        """Note something that is as it should be."""
        self.findings.append(Finding(Mark.GOOD, what))

    def note(self, what: str) -> None:
        """Note something worth knowing that stops nothing."""
        self.findings.append(Finding(Mark.NOTE, what))

    def bad(self, what: str) -> None:
        """Note something that would fail, once."""
        if all(f.what != what for f in self.findings):
            self.findings.append(Finding(Mark.BAD, what))

    @contextmanager
    def collect_errors(self) -> Iterator[None]:
        """Turn a user's mistake met on the way into a finding."""
        try:
            yield
        except LexigraftError as error:
            self.bad(str(error))

    def try_(self, look: Callable[[], Any]) -> Any:
        """The result of a look, or ``None`` when it met a mistake, which is then noted."""
        with self.collect_errors():
            return look()
        return None


def _healthy(findings: Iterable[Finding]) -> bool:
    return all(f.mark is not Mark.BAD for f in findings)
