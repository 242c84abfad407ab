"""The contract suite of objectives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lexigraft.core.models.architecture import model_kind
from lexigraft.core.registry import Plugin
from lexigraft.testing.contract import cached_fixture
from lexigraft.testing.law import NO_FIXTURE, Law, Outcome, not_built, not_loaded, outcome_of
from lexigraft.testing.laws import objective_conduct, plugin_file, reader_file, sample_files
from lexigraft.testing.objective_trial import ObjectiveTrial

OF_FORM: tuple[Law, ...] = (*plugin_file.LAWS, *reader_file.LAWS)
ON_DATA: tuple[Law, ...] = sample_files.LAWS
ON_MODELS: tuple[Law, ...] = objective_conduct.LAWS
OBJECTIVE_FIXTURES = ("roberta-tied-bias", "llama-untied", "t5-tied")
"""One fixture of each kind of model."""


def run_objective_checks(
    plugin: Plugin, fixtures: Iterable[str] = OBJECTIVE_FIXTURES, options: Mapping[str, Any] | None = None
) -> list[Outcome]:
    """Check every law on an objective.

    Args:
        plugin: What the registry found.
        fixtures: Names of fixture models; those of kinds that the objective does not train are passed over.
        options: Options that differ from the defaults (laws of form check the file and ignore them).

    Returns:
        One outcome for each law of form and of data, and one for each other law on each fixture.

    Raises:
        UnknownName: A fixture that does not exist.
    """
    if plugin.cls is None:
        return not_loaded(plugin)
    outcomes = [outcome_of(law, NO_FIXTURE, plugin) for law in OF_FORM]
    suitable = [one for one in map(cached_fixture, fixtures) if model_kind(one.model.config) in plugin.cls.kinds]
    for number, fixture in enumerate(suitable):
        try:
            trial = ObjectiveTrial(plugin, options or {}, fixture)
        except Exception as error:  # an objective may fail in any way
            return outcomes + not_built(ON_DATA, options or {}, error)
        if not number:
            outcomes += [outcome_of(law, NO_FIXTURE, trial) for law in ON_DATA]
        outcomes += [outcome_of(law, fixture.name, trial) for law in ON_MODELS]
    return outcomes
