"""The laws on the other settings of the strategies that need nothing."""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.contract import ON_ROWS, broken_laws, passed
from lexigraft.core.registry import discover, resolve
from lexigraft.testing.contract import run_checks

VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("zip_tie", {}),
    ("multivariate", {"covariance": "full"}),
    ("first_last", {"input": "last"}),
    ("position_exponential", {"base": 0.25}),
    ("script_position", {"min_tokens": 2}),
    ("form_offset", {"min_pairs": 1}),
]
FIXTURES = ("roberta-tied-bias", "llama-untied")


@pytest.mark.parametrize("fixture", FIXTURES)
@pytest.mark.parametrize(("name", "fields"), VARIANTS, ids=lambda v: v if isinstance(v, str) else "-".join(v))
def test_laws_hold_for_other_settings(name: str, fields: dict[str, Any], fixture: str) -> None:
    plugin, preset = resolve("strategy", name)
    found = run_checks(plugin, (fixture,), ON_ROWS, {**preset, **fields})
    assert broken_laws(found) == []
    assert passed(found) > 15


def test_a_control_that_claims_zero_rows_must_have_them(monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = discover("strategy")["mean"]
    assert plugin.cls is not None
    monkeypatch.setattr(plugin.cls, "zero_rows", True)
    failed = [o for o in run_checks(plugin, ("llama-tied",), ON_ROWS) if o.outcome == "failed"]
    assert [o.law for o in failed] == ["no covered row is zero"]
    assert "not the zeros it claims" in failed[0].reason
