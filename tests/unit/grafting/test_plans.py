"""Plans that the contract forbids: an error that names the strategy, whatever it returned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from lexigraft.core.grafting.pipeline import prepare_graft
from lexigraft.core.grafting.plan import Dense, Mix
from lexigraft.core.grafting.rows import BrokenContract
from lexigraft.core.grafting.strategy import InitContext, Strategy
from lexigraft.core.models.tables import Role
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.tiny_models import fixture

MODEL = "roberta-tied-bias"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    model, tokenizer, _ = fixture(MODEL)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def arrays(asked: int) -> dict[str, Any]:
    return {
        "indptr": np.arange(asked + 1, dtype=np.int64),
        "indices": np.zeros(asked, np.int32),
        "weights": np.ones(asked, np.float32),
    }


def mix(asked: int, **changed: Any) -> Mix:
    return Mix(**(arrays(asked) | changed))


def rows(asked: int, width: int = 1) -> torch.Tensor:
    return torch.zeros(asked, width)


PLANS: dict[str, Callable[[int], Any]] = {
    "nothing": lambda n: None,
    "a number": lambda n: 3,
    "a list": lambda n: [mix(n)],
    "an array": lambda n: np.zeros((n, 4)),
    "a mapping to nothing": lambda n: dict.fromkeys(Role),
    "a mapping without the input": lambda n: {Role.BIAS: mix(n)},
    "too few rows": lambda n: mix(n - 1),
    "too many rows": lambda n: mix(n + 1),
    "fewer weights than ids": lambda n: mix(n, weights=np.ones(n - 1, np.float32)),
    "fewer ids than pointers": lambda n: mix(n, indices=np.zeros(n - 1, np.int32), weights=np.ones(n - 1, np.float32)),
    "pointers that go back": lambda n: mix(n, indptr=np.arange(n, -1, -1)),
    "no pointers": lambda n: mix(n, indptr=np.zeros(0, np.int64)),
    "ids that are no integers": lambda n: mix(n, indices=np.zeros(n)),
    "complex weights": lambda n: mix(n, weights=np.ones(n, np.complex64)),
    "weights as a list": lambda n: mix(n, weights=[1.0] * n),
    "weights of two dimensions": lambda n: mix(n, weights=np.ones((n, 1), np.float32)),
    "ids out of range": lambda n: mix(n, indices=np.full(n, 10**6, np.int32)),
    "weights that are not finite": lambda n: mix(n, weights=np.full(n, np.nan, np.float32)),
    "rows as an array": lambda n: Dense(np.zeros((n, 4))),  # type: ignore[arg-type]
    "rows as nothing": lambda n: Dense(None),  # type: ignore[arg-type]
    "one number for rows": lambda n: Dense(torch.tensor(0.0)),
    "integer rows": lambda n: dict.fromkeys(Role, Dense(rows(n).long())),
    "rows of another width": lambda n: dict.fromkeys(Role, Dense(rows(n, 3))),
    "covered of another length": lambda n: dict.fromkeys(Role, Dense(rows(n), np.ones(n - 1, np.bool_))),
    "covered of numbers": lambda n: dict.fromkeys(Role, Dense(rows(n), np.arange(n))),  # type: ignore[arg-type]
    "a mix of another length": lambda n: dict.fromkeys(Role, Dense(rows(n), mix=mix(n - 1))),
}


@dataclass(frozen=True)
class Odd(Strategy):
    """A strategy that returns what the test asks for."""

    name: ClassVar[str] = "odd_one"
    kind: str = "nothing"

    def plan(self, ctx: InitContext) -> Any:
        return PLANS[self.kind](len(ctx.target_ids))


@pytest.mark.parametrize("kind", PLANS)
def test_a_forbidden_plan_is_an_error_that_names_the_strategy(kind: str, source: Path) -> None:
    with pytest.raises(BrokenContract, match="odd_one"):
        prepare_graft(str(source), Vocabulary.of(fixture(MODEL)[2]), [Odd(kind)], {})
