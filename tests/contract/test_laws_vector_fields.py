"""The laws on the strategies from static vectors with other fields than their defaults."""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.contract import ON_ROWS, broken_laws, passed
from lexigraft.core.registry import discover
from lexigraft.testing.contract import run_checks

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]
FIXTURES = ("roberta-tied-bias", "llama-untied")
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
    ("one_to_one", {"pivots": 5, "window": 1, "dim": 5}),
]


@pytest.mark.parametrize(("name", "fields"), CONFIGURED, ids=lambda v: str(v))
def test_laws_hold(name: str, fields: dict[str, Any]) -> None:
    found = run_checks(discover("strategy")[name], FIXTURES, ON_ROWS, fields)
    assert broken_laws(found) == []
    assert passed(found) > len(found) / 2
