"""The contract checks of strategies, objectives, evaluators and augmenters, for the tests of their authors."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from lexigraft.core.data.augmenter import Augmenter
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.evaluator import Evaluator
from lexigraft.core.grafting.strategy import Strategy
from lexigraft.core.registry import Plugin, base_of, with_article
from lexigraft.core.training.objective import Objective
from lexigraft.testing.augmenter_contract import run_augmenter_checks
from lexigraft.testing.contract import FIXTURE_NAMES, run_checks
from lexigraft.testing.evaluator_contract import EVALUATOR_FIXTURES, run_evaluator_checks
from lexigraft.testing.law import Outcome, plugin_of, raise_broken
from lexigraft.testing.objective_contract import OBJECTIVE_FIXTURES, run_objective_checks

RUNNERS: Mapping[str, Callable[..., list[Outcome]]] = {
    "strategy": run_checks,
    "objective": run_objective_checks,
    "evaluator": run_evaluator_checks,
    "augmenter": run_augmenter_checks,
}
"""What runs the contract of each kind of plug-in."""


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
    return _checked("strategy", strategy, fields, fixtures=_names(fixtures))


def check_evaluator(
    evaluator: type[Evaluator] | Evaluator,
    fixtures: str | Iterable[str] = EVALUATOR_FIXTURES,
    options: Mapping[str, Any] | None = None,
) -> list[Outcome]:
    """Check every law of the contract on an evaluator, on the tiny data that its ``sample`` writes.

    Args:
        evaluator: The class, wherever it is defined, or an instance, which is checked with its own options.
        fixtures: Names of fixture models, from ``FIXTURE_NAMES``, or one name; by default one of each kind of model.
        options: Options that differ from the defaults (or from the instance's); they win over the sample's.

    Returns:
        One outcome for each law and fixture, none of them failed.

    Raises:
        AssertionError: The evaluator breaks laws: the message lists each with the fixture and the reason.
        LexigraftError: This is no evaluator, or one without a name.
        UnknownName: A fixture that does not exist.
    """
    return _checked("evaluator", evaluator, options, fixtures=_names(fixtures))


def check_objective(
    objective: type[Objective] | Objective,
    fixtures: str | Iterable[str] = OBJECTIVE_FIXTURES,
    options: Mapping[str, Any] | None = None,
) -> list[Outcome]:
    """Check every law of the contract on an objective, on the tiny files that its ``sample`` writes.

    Args:
        objective: The class, wherever it is defined, or an instance, which is checked with its own options.
        fixtures: Names of fixture models, from ``FIXTURE_NAMES``, or one name; by default one of each kind of model.
        options: Options that differ from the defaults (or from the instance's).

    Returns:
        One outcome for each law and fixture, none of them failed.

    Raises:
        AssertionError: The objective breaks laws: the message lists each with the fixture and the reason.
        LexigraftError: This is no objective, or one without a name.
        UnknownName: A fixture that does not exist.
    """
    return _checked("objective", objective, options, fixtures=_names(fixtures))


def check_augmenter(augmenter: type[Augmenter] | Augmenter, options: Mapping[str, Any] | None = None) -> list[Outcome]:
    """Check every law of the contract on an augmenter, on annotated documents in several scripts.

    Args:
        augmenter: The class, wherever it is defined, or an instance, which is checked with its own options.
        options: Options that differ from the defaults (or from the instance's).

    Returns:
        One outcome for each law, none of them failed.

    Raises:
        AssertionError: The augmenter breaks laws: the message lists each with the reason.
        LexigraftError: This is no augmenter, or one without a name.
    """
    return _checked("augmenter", augmenter, options)


def _checked(kind: str, given: Any, options: Mapping[str, Any] | None, **fixtures: Iterable[str]) -> list[Outcome]:
    """The outcomes of a kind's contract on a class or an instance; raises where one is a failure."""
    plugin, own = _plugin_with_fields(kind, given)
    outcomes = RUNNERS[kind](plugin, options={**own, **(options or {})}, **fixtures)
    raise_broken(plugin, outcomes)
    return outcomes


def _names(fixtures: str | Iterable[str]) -> Iterable[str]:
    return [fixtures] if isinstance(fixtures, str) else fixtures


def _plugin_with_fields(kind: str, given: Any) -> tuple[Plugin, dict[str, Any]]:
    """A class or an instance as a plug-in, with the instance's fields that are not the defaults."""
    base = base_of(kind)
    cls = type(given) if isinstance(given, base) else given
    if not (isinstance(cls, type) and issubclass(cls, base)):
        hint = f"Give a subclass of {base.__name__}, or an instance"
        raise LexigraftError(f"this is not {with_article(kind)}", repr(given), hint)
    if not isinstance(getattr(cls, "name", None), str):
        raise LexigraftError(f"the {kind} has no name", cls.__qualname__, 'Write name: ClassVar[str] = "my_method"')
    if not isinstance(given, base):
        return plugin_of(kind, cls), {}
    values = {field.name: (getattr(given, field.name), field.default) for field in dataclasses.fields(cls)}
    return plugin_of(kind, cls), {name: value for name, (value, default) in values.items() if value != default}
