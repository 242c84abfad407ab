"""The laws on `auto` and `tema_graft` with other fields than their defaults."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lexigraft.core.registry import discover
from lexigraft.testing.contract import LAWS, run_checks

pytestmark = pytest.mark.slow
ON_FIXTURES = tuple(law for law in LAWS if law.on_fixtures)
FIXTURES = ("roberta-tied-bias", "llama-untied", "bert-tied-bias")
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
    torch.set_num_threads(1)
    found = run_checks(discover("strategy")[name], (fixture,), ON_FIXTURES, fields)
    assert [f"{o.law}: {o.reason}" for o in found if o.outcome == "failed"] == []
    assert sum(o.outcome == "passed" for o in found) > 15
