"""The laws on the strategies from static vectors with other fields than their defaults."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lexigraft.core.registry import discover
from lexigraft.testing.contract import LAWS, run_checks

pytestmark = pytest.mark.slow
ON_FIXTURES = tuple(law for law in LAWS if law.on_fixtures)
FIXTURES = ("roberta-tied-bias", "llama-untied", "bert-tied-bias")
CONFIGURED: list[tuple[str, dict[str, Any]]] = [
    ("wechsel", {"align": "none"}),
    ("wechsel", {"identical": "copy", "k": 1}),
    ("wechsel", {"k": 10_000, "temperature": 2.0}),
    ("ofa", {"align": "dictionary"}),
    ("ofa", {"rank": 5}),
    ("ramen", {"align": "dictionary"}),
    ("ramen", {"evidence": "parallel"}),
    ("ramen", {"evidence": "parallel", "min_count": 2}),
    ("semantic_overlap", {"temperature": 0.3}),
]


@pytest.mark.parametrize(("name", "fields"), CONFIGURED, ids=lambda v: str(v))
def test_laws_hold(name: str, fields: dict[str, Any]) -> None:
    torch.set_num_threads(1)
    found = run_checks(discover("strategy")[name], FIXTURES, ON_FIXTURES, fields)
    assert [(o.law, o.fixture, o.reason) for o in found if o.outcome == "failed"] == []
    assert sum(o.outcome == "passed" for o in found) > len(found) / 2
