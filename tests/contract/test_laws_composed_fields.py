"""The laws on `auto` and `tema_graft` with other fields than their defaults."""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.contract import ON_ROWS, broken_laws, passed
from lexigraft.core.registry import discover
from lexigraft.testing.contract import run_checks

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]
FIXTURES = ("roberta-tied-bias", "llama-untied")
VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("tema_graft", {"space": "vectors"}),
    ("tema_graft", {"space": "vectors", "projection": "procrustes", "placement": "mapped"}),
    ("tema_graft", {"projection": "ridge", "multi_token": "skip", "k": 1}),
    ("auto", {"candidates": ["tema_graft,mean", "random"], "seeds": 2}),
    ("auto", {"candidates": ["omp,hf_mean_resizing", "ofa", "zero"]}),
]


@pytest.mark.parametrize("fixture", FIXTURES)
@pytest.mark.parametrize(("name", "fields"), VARIANTS, ids=lambda v: v if isinstance(v, str) else "-".join(v))
def test_laws_hold_for_other_settings(name: str, fields: dict[str, Any], fixture: str) -> None:
    found = run_checks(discover("strategy")[name], (fixture,), ON_ROWS, fields)
    assert broken_laws(found) == []
    assert passed(found) > 15
