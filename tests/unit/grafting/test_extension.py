"""Extension in memory: rows of the new tokens from a strategy, every old row bit for bit, ties kept."""

from __future__ import annotations

import pytest
import torch

from fixtures.adapting import load
from lexigraft.core.errors import LexigraftError, UnknownName
from lexigraft.core.grafting.extension import extend_model
from lexigraft.core.models.tables import Role, tables_of
from lexigraft.testing.tiny_models import spec

TAGS = {"<translate>": "mean", "</translate>": "mean"}


@pytest.mark.parametrize("name", ["roberta-tied-bias", "llama-untied", "llama-bf16", "roberta-padded", "t5-tied"])
def test_new_rows_are_the_strategys_and_old_ones_stay(name: str) -> None:
    model, vocabulary = load(name)
    before = {role: table.detach().clone() for role, table in tables_of(model).by_role.items()}
    extended = extend_model(model, vocabulary, TAGS)
    after = tables_of(model)
    assert extended.added.tolist() == [vocabulary.size, vocabulary.size + 1]
    assert extended.vocabulary.encode(["<translate></translate>"]) == [extended.added.tolist()]
    assert set(extended.added.tolist()) <= extended.vocabulary.special_ids
    assert after.tied == spec(name).tied
    for role, old in before.items():
        new = after.by_role[role].detach()
        assert len(new) == extended.vocabulary.size
        assert torch.equal(new[: vocabulary.size], old[: vocabulary.size])
        mean = old[: vocabulary.size].float().mean(0).to(old.dtype)
        torch.testing.assert_close(new[vocabulary.size :], mean.expand_as(new[vocabulary.size :]))
    assert model.config.vocab_size == extended.vocabulary.size


def test_any_strategy_that_needs_nothing_makes_the_rows() -> None:
    model, vocabulary = load("llama-untied")
    before = {role: table.detach().clone() for role, table in tables_of(model).by_role.items()}
    extended = extend_model(model, vocabulary, {"<translate>": "zero", "</translate>": "subword_mean"})
    pieces = vocabulary.pieces(b"</translate>", bool(extended.vocabulary.starts[extended.added[1]]))
    for role in (Role.INPUT, Role.OUTPUT):
        new = tables_of(model).by_role[role].detach()
        assert not new[extended.vocabulary.id_of("<translate>")].any()
        got = new[extended.vocabulary.id_of("</translate>")]
        wholes = [vocabulary.pieces(b"</translate>", starts) for starts in (True, False)]
        assert pieces
        assert any(torch.allclose(got, before[role][ids].mean(0), atol=1e-6) for ids in wholes)


def test_tokens_that_are_there_already_keep_their_rows() -> None:
    model, vocabulary = load("gpt2-tied")
    first = extend_model(model, vocabulary, TAGS)
    with torch.no_grad():
        tables_of(model).by_role[Role.INPUT][first.added[0]] += 1
    before = tables_of(model).by_role[Role.INPUT].detach().clone()
    again = extend_model(model, first.vocabulary, TAGS)
    assert again.vocabulary is first.vocabulary
    assert again.added.tolist() == []
    assert torch.equal(tables_of(model).by_role[Role.INPUT], before)


@pytest.mark.parametrize(
    ("strategy", "error", "message"),
    [
        ("meen", UnknownName, "mean"),
        ("focus", LexigraftError, "focus needs"),
        ("keep", LexigraftError, "makes no rows for added tokens"),
    ],
)
def test_strategies_that_cannot_make_them_are_refused(strategy: str, error: type[LexigraftError], message: str) -> None:
    model, vocabulary = load("gpt2-tied")
    rows = len(tables_of(model).by_role[Role.INPUT])
    with pytest.raises(error, match=message):
        extend_model(model, vocabulary, {"<translate>": strategy})
    assert len(tables_of(model).by_role[Role.INPUT]) == rows
