"""Every law on every evaluator found, on each kind of model: a new plug-in file is picked up by itself."""

from __future__ import annotations

from functools import cache

import pytest

from fixtures.contract import broken_laws
from lexigraft.core.registry import discover
from lexigraft.testing.evaluator_contract import EVALUATOR_FIXTURES, run_evaluator_checks
from lexigraft.testing.law import Outcome

pytestmark = pytest.mark.usefixtures("one_thread")
EVALUATORS = discover("evaluator")


@cache
def outcomes(evaluator: str) -> list[Outcome]:
    return run_evaluator_checks(EVALUATORS[evaluator])


@pytest.mark.parametrize("evaluator", EVALUATORS)
def test_every_law_holds(evaluator: str) -> None:
    assert broken_laws(outcomes(evaluator)) == []


@pytest.mark.parametrize("evaluator", EVALUATORS)
def test_laws_that_do_not_apply_say_why(evaluator: str) -> None:
    assert all(o.reason for o in outcomes(evaluator) if o.outcome == "not applicable")


@pytest.mark.parametrize("evaluator", [name for name, one in EVALUATORS.items() if one.origin == "package"])
def test_an_evaluator_that_comes_along_gives_sample_data(evaluator: str) -> None:
    assert "the evaluator gives no sample data" not in {o.reason for o in outcomes(evaluator)}


def test_an_evaluator_of_text_leaves_no_law_out() -> None:
    found = outcomes("bits_per_byte")
    assert {o.outcome for o in found} == {"passed"}
    assert {o.fixture for o in found} == {"-", *EVALUATOR_FIXTURES}
