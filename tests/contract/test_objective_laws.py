"""Every law on every objective."""

from __future__ import annotations

from pathlib import Path

import pytest

from lexigraft.api.plugins.catalog import check_plugin
from lexigraft.api.plugins.scaffold import new_plugin
from lexigraft.core.errors import LexigraftError
from lexigraft.core.registry import discover
from lexigraft.testing import check_objective
from lexigraft.testing.contract import cached_fixture
from lexigraft.testing.objective_contract import run_objective_checks
from lexigraft.testing.objective_trial import ObjectiveTrial

DRAWS_NOTHING = ("causal", "code_switch_restore")
READS_NOTHING = {
    "the required files suffice",
    "a missing file is refused",
    "a damaged file is refused clearly",
    "the hash is of the content",
}


@pytest.mark.parametrize("name", discover("objective"))
def test_every_objective_keeps_every_law(name: str) -> None:
    plugin = discover("objective")[name]
    outcomes = run_objective_checks(plugin)
    assert [one for one in outcomes if one.outcome == "failed"] == []
    optional = all(not file.required for file in getattr(plugin.cls, "files", {}).values())
    assert {one.law for one in outcomes if one.outcome == "not applicable"} <= (READS_NOTHING if optional else set())


@pytest.mark.parametrize("name", sorted(set(discover("objective")) - set(DRAWS_NOTHING)))
def test_another_seed_draws_another_batch(name: str) -> None:
    plugin = discover("objective")[name]
    kind = {"causal": "llama-untied", "masked": "roberta-tied-bias", "seq2seq": "t5-tied"}[min(plugin.cls.kinds)]
    trial = ObjectiveTrial(plugin, {}, cached_fixture(kind))
    other = trial.batch(seed=2)
    assert any(not tensor.equal(other[key]) for key, tensor in trial.first.items())


def test_what_is_no_objective_is_refused() -> None:
    with pytest.raises(LexigraftError, match="this is not an objective"):
        check_objective(int)  # type: ignore[arg-type]


def test_a_new_objective_keeps_every_law(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = new_plugin("objective", "my_loss", tmp_path)
    assert path == tmp_path / "objectives" / "my_loss.py"
    monkeypatch.setenv("LEXIGRAFT_PLUGINS", str(tmp_path))
    outcomes = check_plugin("objective", "my_loss")
    assert [one for one in outcomes if one.outcome == "failed"] == []
    assert {one.fixture for one in outcomes} == {"-", "roberta-tied-bias", "llama-untied", "t5-tied"}
