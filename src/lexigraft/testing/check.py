"""The contract check of a strategy class, for the tests of its author."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.strategy import Strategy
from lexigraft.testing.contract import FIXTURE_NAMES, run_checks
from lexigraft.testing.law import Outcome, plugin_of, raise_broken


def check_strategy(
    strategy: type[Strategy] | Strategy,
    fixtures: str | Iterable[str] = FIXTURE_NAMES,
    fields: Mapping[str, Any] | None = None,
) -> list[Outcome]:
    """Check every law of the contract on a strategy; for a test of one's own, like scikit-learn's `check_estimator`.

    Args:
        strategy: The class, wherever it is defined, or an instance, which is checked with its own fields. The laws
            about the strategy's file do not apply to a class of a notebook or of a test, which has no file named after
            it, and their outcomes say so.
        fixtures: Names of fixture models, from ``FIXTURE_NAMES``, or one name; all of them by default.
        fields: Fields that differ from the defaults (or from the instance's).

    Returns:
        One outcome for each law and fixture, none of them failed.

    Raises:
        AssertionError: The strategy breaks laws: the message lists each with the fixture and the reason.
        LexigraftError: This is no strategy, or one without a name.
        UnknownName: A fixture that does not exist.
    """
    cls = type(strategy) if isinstance(strategy, Strategy) else strategy
    if not (isinstance(cls, type) and issubclass(cls, Strategy)):
        raise LexigraftError("this is not a strategy", repr(strategy), "Give a subclass of Strategy, or an instance")
    if not isinstance(getattr(cls, "name", None), str):
        raise LexigraftError("the strategy has no name", cls.__qualname__, 'Write name: ClassVar[str] = "my_method"')
    names = [fixtures] if isinstance(fixtures, str) else fixtures
    own = {}
    if isinstance(strategy, Strategy):
        own = {field.name: getattr(strategy, field.name) for field in dataclasses.fields(strategy)}
    plugin = plugin_of("strategy", cls)
    outcomes = run_checks(plugin, names, fields={**own, **(fields or {})})
    raise_broken(plugin, outcomes)
    return outcomes
