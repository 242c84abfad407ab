"""The contract suite of strategies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from lexigraft.core.registry import Plugin, construct
from lexigraft.testing.inputs import Fixture
from lexigraft.testing.law import NO_FIXTURE, Law, Outcome, not_built, not_loaded, outcome_of
from lexigraft.testing.laws import determinism, greedy, needs, plan, plugin_file, round_trip, rows, strategy_file
from lexigraft.testing.tiny_models import FIXTURES
from lexigraft.testing.trial import Trial

LAWS: tuple[Law, ...] = (
    *plugin_file.LAWS,
    *strategy_file.LAWS,
    *needs.LAWS,
    *plan.LAWS,
    *determinism.LAWS,
    *rows.LAWS,
    *greedy.LAWS,
    *round_trip.LAWS,
)
FIXTURE_NAMES: tuple[str, ...] = tuple(f.name for f in FIXTURES)


@cache
def cached_fixture(name: str) -> Fixture:
    """A fixture by name, made once in a process; raises ``UnknownName`` for an unknown name."""
    return Fixture.of(name)


def run_checks(
    plugin: Plugin,
    fixtures: Iterable[str] = FIXTURE_NAMES,
    laws: Sequence[Law] = LAWS,
    options: Mapping[str, Any] | None = None,
) -> list[Outcome]:
    """Check laws on a strategy.

    Args:
        plugin: What the registry found.
        fixtures: Names of fixture models.
        laws: The laws to check.
        options: Fields that differ from the defaults (laws of form check the file and ignore them).

    Returns:
        One outcome for each law of form, and one for each other law on each fixture.

    Raises:
        UnknownName: A fixture that does not exist.
    """
    if plugin.cls is None:
        return not_loaded(plugin)
    outcomes = [outcome_of(law, NO_FIXTURE, plugin) for law in laws if not law.on_fixtures]
    on_fixtures = [law for law in laws if law.on_fixtures]
    for name in fixtures if on_fixtures else ():
        outcomes += _on_fixture(plugin, dict(options or {}), cached_fixture(name), on_fixtures)
    return outcomes


def _on_fixture(plugin: Plugin, fields: dict[str, Any], fixture: Fixture, laws: Sequence[Law]) -> list[Outcome]:
    assert plugin.cls is not None
    try:
        trial = Trial(plugin, construct("strategy", plugin.name, plugin.cls, fields), fixture)
    except Exception as error:  # a strategy may fail in any way
        return not_built(laws, fields, error, fixture.name)
    if trial.unmet:
        reason = f"there is no made input for {', '.join(trial.unmet)}"
        return [Outcome(law.name, fixture.name, "not applicable", reason) for law in laws]
    return [outcome_of(law, fixture.name, trial) for law in laws]
