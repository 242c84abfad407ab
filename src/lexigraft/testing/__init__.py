"""The contracts of strategies, objectives, evaluators and augmenters, checked in one's own tests.

``check_strategy(MyMethod)``, ``check_objective(MyLoss)``, ``check_evaluator(MyMeasure)`` and
``check_augmenter(MyChange)`` raise an ``AssertionError`` that lists every broken law; an objective and an evaluator are
checked on the tiny data that their ``sample`` writes, an augmenter on annotated documents in several scripts.
``FIXTURE_NAMES`` names the tiny models; ``fixture(name)`` makes one of them, with a source and a target tokenizer;
``tiny_tokenizer(family, variant)`` makes a tokenizer of one family. All are built in code, offline, and the same every
time. ``Fixture`` is what the ``sample`` method of a need gets: a tiny model with both vocabularies and their alignment.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lexigraft.testing.check import check_augmenter, check_evaluator, check_objective, check_strategy
    from lexigraft.testing.contract import FIXTURE_NAMES
    from lexigraft.testing.inputs import Fixture
    from lexigraft.testing.law import Outcome
    from lexigraft.testing.tiny_models import fixture
    from lexigraft.testing.tiny_tokenizers import tiny_tokenizer

__all__ = [
    "FIXTURE_NAMES",
    "Fixture",
    "Outcome",
    "check_augmenter",
    "check_evaluator",
    "check_objective",
    "check_strategy",
    "fixture",
    "tiny_tokenizer",
]

_WHERE = {
    "FIXTURE_NAMES": "contract",
    "Fixture": "inputs",
    "Outcome": "law",
    "check_augmenter": "check",
    "check_evaluator": "check",
    "check_objective": "check",
    "check_strategy": "check",
    "fixture": "tiny_models",
    "tiny_tokenizer": "tiny_tokenizers",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
