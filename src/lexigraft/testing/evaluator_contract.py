"""The contract suite of evaluators."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lexigraft.core.registry import Plugin
from lexigraft.testing.contract import cached_fixture
from lexigraft.testing.evaluator_trial import Data, ModelTrial
from lexigraft.testing.law import NO_FIXTURE, Law, Outcome, not_built, not_loaded, outcome_of
from lexigraft.testing.laws import evaluator_conduct, evaluator_data, evaluator_scores, plugin_file, reader_file

OF_FORM: tuple[Law, ...] = (*plugin_file.LAWS, *reader_file.LAWS)
ON_DATA: tuple[Law, ...] = evaluator_data.LAWS
ON_MODELS: tuple[Law, ...] = (*evaluator_scores.LAWS, *evaluator_conduct.LAWS)
EVALUATOR_FIXTURES = ("roberta-tied-bias", "llama-untied", "llama-bf16", "t5-tied")
"""One fixture of each kind of model, and one in half precision."""


def run_evaluator_checks(
    plugin: Plugin, fixtures: Iterable[str] = EVALUATOR_FIXTURES, options: Mapping[str, Any] | None = None
) -> list[Outcome]:
    """Check every law on an evaluator.

    Args:
        plugin: What the registry found.
        fixtures: Names of fixture models.
        options: Options that differ from the defaults (laws of form check the file and ignore them).

    Returns:
        One outcome for each law of form and of data, and one for each other law on each fixture.

    Raises:
        UnknownName: A fixture that does not exist.
    """
    if plugin.cls is None:
        return not_loaded(plugin)
    outcomes = [outcome_of(law, NO_FIXTURE, plugin) for law in OF_FORM]
    try:
        data = Data(plugin, options or {})
    except Exception as error:  # an evaluator may fail in any way
        return outcomes + not_built(ON_DATA, options or {}, error)
    outcomes += [outcome_of(law, NO_FIXTURE, data) for law in ON_DATA]
    for name in fixtures:
        trial = ModelTrial(data, cached_fixture(name))
        outcomes += [outcome_of(law, name, trial) for law in ON_MODELS]
    return outcomes
