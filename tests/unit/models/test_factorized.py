"""Factorized tables: the logits of the dense low-rank model, tied as before, smaller on disk, read back."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch

from lexigraft.core.errors import LexigraftError
from lexigraft.core.linalg.truncated_svd import primitives_of
from lexigraft.core.models.factorized import WEIGHTS, FactorizedEmbedding, factorize, load_factorized, save_factorized
from lexigraft.core.models.loading import load_model
from lexigraft.core.models.tables import Role, tables_of
from lexigraft.testing.tiny_models import FIXTURES, build, spec

RANK = 6


def low_rank(model: torch.nn.Module, rank: int = RANK) -> torch.nn.Module:
    """A copy whose dense tables are cut to a rank, by torch's own decomposition."""
    cut = copy.deepcopy(model)
    with torch.no_grad():
        for role, table in tables_of(cut).by_role.items():
            if role is not Role.BIAS:
                u, s, vt = torch.linalg.svd(table, full_matrices=False)
                table.copy_(u[:, :rank] * s[:rank] @ vt[:rank])
    return cut


def logits(model: torch.nn.Module) -> torch.Tensor:
    ids = torch.arange(24).reshape(2, 12) * 37 % 300
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if model.config.is_encoder_decoder:
        inputs["decoder_input_ids"] = ids
    with torch.no_grad():
        return model(**inputs).logits


@pytest.mark.parametrize("name", [s.name for s in FIXTURES])
def test_the_same_logits_as_the_dense_low_rank_model(name: str, tmp_path: Path) -> None:
    # In double precision, so that the random layers have no rounding to blow up.
    model = build(spec(name)).double()
    dense = low_rank(model)
    tied = tables_of(model).tied
    wanted = logits(dense)
    assert not torch.allclose(wanted, logits(model), atol=1e-2)
    factorize(model, RANK)
    torch.testing.assert_close(logits(model), wanted, atol=1e-8, rtol=1e-8)
    table, head = model.get_input_embeddings(), model.get_output_embeddings()
    assert (head.coordinates is table.coordinates) == (head.primitives is table.primitives) == tied


@pytest.mark.parametrize("name", [s.name for s in FIXTURES])
def test_files_bring_the_same_model_back(name: str, tmp_path: Path) -> None:
    model = factorize(build(spec(name)), RANK)
    save_factorized(model, tmp_path / "apart")
    again = load_factorized(tmp_path / "apart")
    assert torch.equal(logits(again), logits(model))
    assert {n: p.dtype for n, p in again.named_parameters()} == {n: p.dtype for n, p in model.named_parameters()}
    heads = [(m.get_output_embeddings(), m.get_input_embeddings()) for m in (model, again)]
    assert len({head.coordinates is table.coordinates for head, table in heads}) == 1
    assert not again.training


def test_smaller_on_disk_and_no_plain_checkpoint(tmp_path: Path) -> None:
    model = build(spec("roberta-tied-bias"))
    model.save_pretrained(tmp_path / "dense")
    rows, hidden = model.get_input_embeddings().weight.shape
    save_factorized(factorize(model, RANK), tmp_path / "apart")
    dense, apart = (p.stat().st_size for p in (tmp_path / "dense" / "model.safetensors", tmp_path / "apart" / WEIGHTS))
    saved = 4 * (rows * hidden - RANK * (rows + hidden))
    assert dense - apart == pytest.approx(saved, abs=2000)
    with pytest.raises(LexigraftError, match="no weights"):
        load_model(tmp_path / "apart")


def test_a_basis_keeps_rows_that_lie_in_it() -> None:
    # Half of the rows are moved out of the basis; the other half must come through as they are.
    model = build(spec("llama-tied"))
    basis = {role: table.detach().clone() for role, table in tables_of(model).by_role.items()}
    primitives = primitives_of(basis[Role.INPUT], RANK)
    cut = primitives.rows(primitives.coordinates(basis[Role.INPUT]))
    half = len(cut) // 2
    with torch.no_grad():
        model.get_input_embeddings().weight[:half] = cut[:half]
    whole = model.get_input_embeddings().weight.detach().clone()
    by_basis = factorize(copy.deepcopy(model), RANK, basis=basis).get_input_embeddings().weight
    torch.testing.assert_close(by_basis[:half], whole[:half], atol=1e-5, rtol=0)
    torch.testing.assert_close(by_basis[half:], cut[half:], atol=1e-5, rtol=0)
    by_itself = factorize(model, RANK).get_input_embeddings().weight
    assert (by_itself[:half] - whole[:half]).abs().max() > 1e-3
    assert (by_itself - whole).norm() < (by_basis - whole).norm()


def test_primitives_are_the_singular_values_and_directions() -> None:
    table = torch.randn(40, 9, generator=torch.Generator().manual_seed(0))
    u, s, vt = torch.linalg.svd(table, full_matrices=False)
    primitives = primitives_of(table, 4)
    torch.testing.assert_close(primitives.values, s[:4])
    torch.testing.assert_close(primitives.coordinates(table).abs(), u[:, :4].abs(), atol=1e-5, rtol=0)
    torch.testing.assert_close(primitives.matrix.abs(), (s[:4, None] * vt[:4]).abs(), atol=float(3e-6 * s[0]), rtol=0)
    assert (primitives.directions.max(0).values >= -primitives.directions.min(0).values).all()
    full = primitives_of(table, 9)
    torch.testing.assert_close(full.rows(full.coordinates(table)), table, atol=1e-5, rtol=0)


def test_the_head_of_a_trained_model_moves_with_its_tied_table() -> None:
    model = factorize(build(spec("bert-tied-bias")), RANK)
    table: FactorizedEmbedding = model.get_input_embeddings()
    table.primitives.requires_grad_(False)
    ids = torch.arange(8)[None] + 20
    model(input_ids=ids, labels=ids).loss.backward()
    assert table.coordinates.grad is not None
    assert table.primitives.grad is None
    assert model.get_output_embeddings().bias.grad.abs().sum() > 0
    names = [name for name, _ in model.named_parameters() if name.endswith(("coordinates", "primitives"))]
    assert len(names) == 2


def test_what_cannot_be_factorized_or_read_is_refused(tmp_path: Path) -> None:
    model = build(spec("gpt2-tied"))
    with pytest.raises(LexigraftError, match="rank is beyond"):
        factorize(model, 25)
    with pytest.raises(LexigraftError, match="not factorized"):
        save_factorized(model, tmp_path)
    factorize(model, RANK)
    with pytest.raises(LexigraftError, match="already"):
        factorize(model, RANK)
    with pytest.raises(LexigraftError, match="no factorized model"):
        load_factorized(tmp_path)
    save_factorized(model, tmp_path)
    whole = (tmp_path / WEIGHTS).read_bytes()
    (tmp_path / WEIGHTS).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(LexigraftError, match="cannot be read"):
        load_factorized(tmp_path)


def test_a_flat_table_has_no_high_rank() -> None:
    flat = torch.randn(30, 2) @ torch.randn(2, 8)
    assert primitives_of(flat, 2).values.shape == (2,)
    with pytest.raises(LexigraftError, match="3 of 2"):
        primitives_of(flat, 3)
