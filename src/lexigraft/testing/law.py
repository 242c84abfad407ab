"""Laws of a contract and their outcomes, for every kind of plug-in."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lexigraft.core.registry import Plugin, discover

NO_FIXTURE = "-"


class LawBroken(Exception):
    """The plug-in breaks the law as the message says."""


class NotApplicable(Exception):
    """The law says nothing about this plug-in on this fixture, for the reason in the message."""


def require(condition: bool, reason: str) -> None:
    """Raise :class:`LawBroken` with the reason unless the condition holds."""
    if not condition:
        raise LawBroken(reason)


def skip_unless(condition: bool, reason: str) -> None:
    """Raise :class:`NotApplicable` with the reason unless the condition holds."""
    if not condition:
        raise NotApplicable(reason)


@dataclass(frozen=True)
class Law:
    """One law.

    Attributes:
        name: A short sentence that holds where the law does.
        group: The file it is in.
        check: Called with a plug-in (laws of form) or a trial; silent where the law holds.
        on_fixtures: Whether it is checked once on every fixture.
    """

    name: str
    group: str
    check: Callable[[Any], None]
    on_fixtures: bool = True


@dataclass(frozen=True)
class Outcome:
    """The outcome of one law.

    Attributes:
        law: The law's name.
        fixture: The fixture model's name; ``-`` for laws that need none.
        outcome: Passed, failed, or not applicable.
        reason: Why it failed or does not apply; empty where it passed.
    """

    law: str
    fixture: str
    outcome: Literal["passed", "failed", "not applicable"]
    reason: str = ""


def outcome_of(law: Law, fixture: str, subject: Any) -> Outcome:
    """The outcome of a law on a plug-in or a trial; nothing that the plug-in raises leaves this function."""
    try:
        law.check(subject)
    except NotApplicable as reason:
        return Outcome(law.name, fixture, "not applicable", str(reason))
    except LawBroken as reason:
        return Outcome(law.name, fixture, "failed", str(reason))
    except Exception as error:  # whatever a plug-in raises is its failure, not the suite's
        return Outcome(law.name, fixture, "failed", f"{type(error).__name__}: {error}")
    return Outcome(law.name, fixture, "passed")


def not_loaded(plugin: Plugin) -> list[Outcome]:
    """The only outcome of a broken plug-in."""
    return [Outcome("the file loads", NO_FIXTURE, "failed", str(plugin.broken))]


def not_built(
    laws: Sequence[Law], options: Mapping[str, Any], error: Exception, fixture: str = NO_FIXTURE
) -> list[Outcome]:
    """Every law failed, because a plug-in cannot be built with some options."""
    reason = f"cannot be built with {dict(options) or 'its defaults'}: {error}"
    return [Outcome(law.name, fixture, "failed", reason) for law in laws]


def plugin_of(kind: str, cls: type[Any]) -> Plugin:
    """A class as the registry has it, or as it would be found in a file of its own; else without a file."""
    found = discover(kind).get(cls.name)
    if found is not None and found.cls is cls:
        return found
    try:
        file = inspect.getfile(cls)
    except (OSError, TypeError):  # a class that was typed into an interpreter
        file = ""
    return Plugin(kind, cls.name, file if Path(file).stem == cls.name else "", "class", cls)


def raise_broken(plugin: Plugin, outcomes: Sequence[Outcome]) -> None:
    """Raise an ``AssertionError`` that lists every broken law with the fixture and the reason; none where all hold."""
    if failed := [outcome for outcome in outcomes if outcome.outcome == "failed"]:
        laws = len({outcome.law for outcome in failed})
        raise AssertionError("\n".join([f"{plugin.kind} '{plugin.name}' breaks {laws} laws:", *map(_line, failed)]))


def _line(outcome: Outcome) -> str:
    where = "" if outcome.fixture == NO_FIXTURE else f" (on {outcome.fixture})"
    return f"  {outcome.law}{where}: {outcome.reason}"
