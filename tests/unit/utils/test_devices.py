"""Where strategies that learn compute: as asked, or refused before any work."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
import torch

from lexigraft.core.config.recipe import GraftSettings
from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.pipeline import prepare_graft
from lexigraft.core.grafting.plan import Dense, Plan
from lexigraft.core.grafting.strategy import InitContext, Strategy
from lexigraft.core.models.tables import Role
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.utils.devices import usable_device
from lexigraft.testing.tiny_models import fixture


@dataclass(frozen=True)
class _Numbered(Strategy):
    """Rows that say where they were asked to be made: on the processor by its number, or by name alone."""

    name: ClassVar[str] = "numbered"
    needs: ClassVar[frozenset[Need]] = frozenset()

    def plan(self, ctx: InitContext) -> Plan:
        value = {"cpu": 1.0, "cpu:0": 2.0}[ctx.device]
        size = len(ctx.target_ids)
        return {role: Dense(torch.full((size, *ctx.table(role).shape[1:]), value)) for role in ctx.roles}


@pytest.mark.parametrize(("asked", "used", "value"), [("auto", "cpu", 1), ("cpu", "cpu", 1), ("cpu:0", "cpu:0", 2)])
def test_a_strategy_is_told_the_device(
    asked: str, used: str, value: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    model, tokenizer, target = fixture("llama-bf16")
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    made = prepare_graft(str(tmp_path), Vocabulary.of(target), [_Numbered()], {}, settings=GraftSettings(device=asked))
    assert made.rows.counts["covered"] > 0
    assert (made.rows.tables[Role.INPUT] == value).all(dim=1).sum() == made.rows.counts["covered"]
    assert made.facts["device"] == used


def test_auto_is_a_gpu_where_torch_sees_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert usable_device("auto") == "cuda"


@pytest.mark.parametrize("asked", ["toaster", "", "meta", "hpu", "cuda:99"])
def test_what_torch_cannot_compute_on_is_refused(asked: str) -> None:
    with pytest.raises(LexigraftError, match="cannot compute on this device"):
        usable_device(asked)
