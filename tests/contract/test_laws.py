"""Every law on every strategy found, on every fixture model: a new plug-in file is picked up by itself."""

from __future__ import annotations

import gc
from functools import cache
from pathlib import Path

import pytest
import torch

from lexigraft.core.grafting.needs import Need
from lexigraft.core.registry import discover
from lexigraft.testing.contract import FIXTURE_NAMES, GROUPS, LAWS, NO_FIXTURE, Outcome, ground, laws_of, run_checks
from lexigraft.testing.inputs import EXTRA_TOKENS, Fixture

STRATEGIES = discover("strategy")
ON_FIXTURES = tuple(law for law in LAWS if law.on_fixtures)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@cache
def outcomes(strategy: str, fixture: str) -> list[Outcome]:
    if fixture == NO_FIXTURE:
        return run_checks(STRATEGIES[strategy], (), laws_of("form"))
    return run_checks(STRATEGIES[strategy], (fixture,), ON_FIXTURES)


def failures(found: list[Outcome], group: str) -> list[str]:
    names = {law.name for law in laws_of(group)}
    return [
        f"{o.law}: {o.reason}" for o in found if o.outcome == "failed" and (o.law in names or o.law == "the file loads")
    ]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_laws_of_form(strategy: str) -> None:
    assert failures(outcomes(strategy, NO_FIXTURE), "form") == []


@pytest.mark.parametrize("group", [g for g in GROUPS if g != "form"])
@pytest.mark.parametrize("fixture", FIXTURE_NAMES)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_laws_on_fixtures(strategy: str, fixture: str, group: str) -> None:
    assert failures(outcomes(strategy, fixture), group) == []


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_most_laws_apply_and_the_others_say_why(strategy: str) -> None:
    found = [o for name in FIXTURE_NAMES for o in outcomes(strategy, name)]
    skipped = [o for o in found if o.outcome == "not applicable"]
    assert all(o.reason for o in skipped)
    assert len(skipped) < len(found) / 3


@pytest.mark.parametrize("fixture", FIXTURE_NAMES)
def test_the_made_inputs_put_every_strategy_to_work(fixture: str) -> None:
    where = ground(fixture)
    vectors, poor = where.supplies[Need.TARGET_VECTORS](), where.supplies[Need.POOR_MODEL]()
    links = where.supplies[Need.DICTIONARY]()
    tokens = [where.target.single_token(word) for _, word in links.pairs]
    often = poor.counts[[t for t in tokens if t is not None]] >= 15
    new = where.alignment.new
    assert 0 < vectors.present[new].sum() < len(new)
    assert None not in tokens
    assert often.sum() > 5
    assert (~often).sum() > 5
    assert len(where.extended.alignment.new) == len(EXTRA_TOKENS)
    assert len(where.same.alignment.new) == 0


def test_what_the_laws_write_is_removed() -> None:
    passing = Fixture.of("llama-tied")
    root: Path = passing.folders.root
    assert Path(passing.folders.source).is_dir()
    del passing
    gc.collect()
    assert not root.exists()
