"""Every law on every strategy found, on every fixture model: a new plug-in file is picked up by itself.

Models are written and read back on every fixture with one strategy of each kind, and with every strategy on one fixture
of its own.
"""

from __future__ import annotations

import gc
from functools import cache
from itertools import cycle
from pathlib import Path

import pytest

from fixtures.contract import FORM, ON_FIXTURES, ON_ROWS, broken_laws, one_of_each_kind
from lexigraft.core.grafting.needs import Need
from lexigraft.core.registry import discover
from lexigraft.testing.contract import FIXTURE_NAMES, cached_fixture, run_checks
from lexigraft.testing.inputs import EXTRA_TOKENS, Fixture
from lexigraft.testing.law import Outcome

pytestmark = pytest.mark.usefixtures("one_thread")
STRATEGIES = discover("strategy")
OF_EACH_KIND = one_of_each_kind(STRATEGIES)
OWN = dict(zip(STRATEGIES, cycle(FIXTURE_NAMES), strict=False))


@cache
def outcomes(strategy: str, fixture: str) -> list[Outcome]:
    read_back = strategy in OF_EACH_KIND or fixture == OWN[strategy]
    return run_checks(STRATEGIES[strategy], (fixture,), ON_FIXTURES if read_back else ON_ROWS)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_laws_of_form(strategy: str) -> None:
    assert broken_laws(run_checks(STRATEGIES[strategy], (), FORM)) == []


@pytest.mark.parametrize("fixture", FIXTURE_NAMES)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_laws_on_fixtures(strategy: str, fixture: str) -> None:
    assert broken_laws(outcomes(strategy, fixture)) == []


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_most_laws_apply_and_the_others_say_why(strategy: str) -> None:
    found = [o for name in FIXTURE_NAMES for o in outcomes(strategy, name)]
    skipped = [o for o in found if o.outcome == "not applicable"]
    assert all(o.reason for o in skipped)
    assert len(skipped) < len(ON_FIXTURES) * len(FIXTURE_NAMES) / 3


@pytest.mark.parametrize("fixture", FIXTURE_NAMES)
def test_the_made_inputs_put_every_strategy_to_work(fixture: str) -> None:
    where = cached_fixture(fixture)
    vectors, poor = where.loaders[Need.TARGET_VECTORS](), where.loaders[Need.POOR_MODEL]()
    links = where.loaders[Need.DICTIONARY]()
    tokens = [where.target.single_token(word) for _, word in links.pairs]
    often = poor.counts[[t for t in tokens if t is not None]] >= 15
    new = where.alignment.new
    assert 0 < vectors.present[new].sum() < len(new)
    assert None not in tokens
    assert often.sum() > 5
    assert (~often).sum() > 5
    assert len(where.extended.alignment.new) == len(EXTRA_TOKENS)
    assert len(where.same_tokenizer.alignment.new) == 0


def test_what_the_laws_write_is_removed() -> None:
    passing = Fixture.of("llama-tied")
    root: Path = passing.folders.root
    assert Path(passing.folders.source).is_dir()
    del passing
    gc.collect()
    assert not root.exists()
