"""The frozen model: the source's numbers for its own ids, the enlarged model's for new ones, no gradient elsewhere."""

from __future__ import annotations

import copy

import pytest
import torch

from lexigraft.core.methods.distillation import padded
from lexigraft.core.methods.occurrences import frame
from lexigraft.core.models.frozen_model import FrozenModel
from lexigraft.core.models.tables import Role, tables_of
from lexigraft.testing.contract import FIXTURE_NAMES, cached_fixture
from lexigraft.testing.inputs import Fixture

NEW = 3


def batch(where: Fixture) -> tuple[torch.Tensor, torch.Tensor]:
    """Two texts of unequal length as the tokenizer gives them, padded on the right."""
    before, behind = frame(where.source)
    lines = where.source.encode(["The river runs past the old house.", "Bread and water."])
    return padded([[*before, *ids, *behind] for ids in lines])


def float_copy(where: Fixture) -> torch.nn.Module:
    """An independent float32 model with the same numbers."""
    return copy.deepcopy(where.model).float().eval()


def new_rows(where: Fixture, *, trained: bool = False) -> dict[Role, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return {
        role: torch.randn(NEW, *table.shape[1:], generator=generator).requires_grad_(trained)
        for role, table in where.tables.items()
    }


def enlarged(where: Fixture, rows: dict[Role, torch.Tensor]) -> torch.nn.Module:
    """The float32 model with the tokenizer's ids and the new rows as its real tables, head bias included."""
    model, size = float_copy(where), where.source.size
    old_head = model.get_output_embeddings().weight.detach().clone()
    model.resize_token_embeddings(size + NEW, mean_resizing=False)
    head = model.get_output_embeddings()
    with torch.no_grad():
        model.get_input_embeddings().weight[size:] = rows[Role.INPUT]
        if Role.OUTPUT in rows:  # resizing ties mT5's tables
            head.weight = torch.nn.Parameter(torch.cat([old_head[:size], rows[Role.OUTPUT]]))
        if Role.BIAS in rows:
            tables_of(model).by_role[Role.BIAS][size:] = rows[Role.BIAS]
    return model.eval()


def own_logits(model: torch.nn.Module, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    inputs = {"input_ids": ids, "attention_mask": mask}
    if model.config.is_encoder_decoder:
        inputs["decoder_input_ids"] = ids
    with torch.no_grad():
        return model(**inputs).logits


def ours(where: Fixture, ids: torch.Tensor, mask: torch.Tensor, rows=None, at=None) -> torch.Tensor:
    decoder = ids if where.model.config.is_encoder_decoder else None
    return FrozenModel.of(where.model, where.source.size).logits(ids, mask, rows, at=at, decoder_ids=decoder)


@pytest.mark.parametrize("name", FIXTURE_NAMES)
def test_source_ids_give_the_models_own_logits(name: str) -> None:
    where = cached_fixture(name)
    ids, mask = batch(where)
    wanted = own_logits(float_copy(where), ids, mask)[..., : where.source.size]
    shown = mask.bool()
    for rows in (None, new_rows(where)):
        found = ours(where, ids, mask, rows)
        assert found.dtype == torch.float32
        torch.testing.assert_close(found[shown][:, : where.source.size], wanted[shown], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", FIXTURE_NAMES)
def test_new_ids_give_the_logits_of_a_model_with_these_rows(name: str) -> None:
    where = cached_fixture(name)
    ids, mask = batch(where)
    size = where.source.size
    ids[:, 2:5] = torch.arange(size, size + NEW)
    rows = new_rows(where)
    shown = mask.bool()
    wanted = own_logits(enlarged(where, rows), ids, mask)
    torch.testing.assert_close(ours(where, ids, mask, rows)[shown], wanted[shown], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ours(where, ids, mask, rows, at=shown), wanted[shown], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", FIXTURE_NAMES)
def test_states_are_those_of_the_layer_asked_for(name: str) -> None:
    where = cached_fixture(name)
    ids, mask = batch(where)
    ids[:, 2:5] = torch.arange(where.source.size, where.source.size + NEW)
    rows = new_rows(where)
    other = enlarged(where, rows)
    stack = other.get_encoder() if other.config.is_encoder_decoder else other.base_model
    with torch.no_grad():
        layers = stack(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
    frozen = FrozenModel.of(where.model, where.source.size)
    shown = mask.bool()
    for found, wanted in ((frozen.states(ids, mask, rows, 1), layers[1]), (frozen.states(ids, mask, rows), layers[-1])):
        torch.testing.assert_close(found[shown], wanted[shown], atol=1e-5, rtol=1e-5)


def test_states_and_logits_come_in_one_pass_and_the_head_alone_can_learn() -> None:
    where = cached_fixture("llama-untied")
    ids, mask = batch(where)
    ids[:, 2] = where.source.size
    rows, frozen, at = new_rows(where, trained=True), FrozenModel.of(where.model, where.source.size), mask.bool()
    for layer in (1, None):
        states, logits = frozen.states_and_logits(ids, mask, rows, layer, at=at, head_only=True)
        torch.testing.assert_close(states, frozen.states(ids, mask, rows, layer))
        torch.testing.assert_close(logits, frozen.logits(ids, mask, rows, at=at))
        (states.sum() * 0 + logits.square().sum()).backward()
        assert rows[Role.OUTPUT].grad.abs().sum() > 0
        assert rows[Role.INPUT].grad.abs().sum() == 0


@pytest.mark.parametrize("name", FIXTURE_NAMES)
def test_gradients_reach_the_new_rows_that_are_read_and_nothing_else(name: str) -> None:
    where = cached_fixture(name)
    before = [p.clone() for p in where.model.parameters()]
    ids, mask = batch(where)
    size = where.source.size
    ids[0, 2], ids[1, 2] = size, size + 2
    rows = new_rows(where, trained=True)
    frozen = FrozenModel.of(where.model, size)
    frozen.states(ids, mask, rows).square().sum().backward()
    assert [bool(r.abs().sum() > 0) for r in rows[Role.INPUT].grad] == [True, False, True]
    ours(where, ids, mask, rows, at=mask.bool()).log_softmax(-1)[:, size + 1].sum().backward()
    assert all(r.grad is not None and bool(r.grad.isfinite().all()) for r in rows.values())
    assert all(p.grad is None for p in where.model.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, where.model.parameters(), strict=True))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in where.model.modules())


def test_a_padding_id_among_the_source_ids_does_not_stop_a_new_rows_gradient() -> None:
    where = cached_fixture("roberta-tied-bias")
    pad = where.model.config.pad_token_id
    rows = {Role.INPUT: torch.ones(pad + 2, 32, requires_grad=True)}
    ids = torch.arange(where.source.size, where.source.size + pad + 2).unsqueeze(0)
    FrozenModel.of(where.model, where.source.size).embed(ids, rows).sum().backward()
    assert rows[Role.INPUT].grad.eq(1).all()
