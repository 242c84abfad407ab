"""Rows followed through adaptation: which tokens, and their norms and nearest rows, worked out by hand."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from lexigraft.core.grafting.tracked_rows import TrackedRows, neighborhoods, sampled_tokens

TOKENS = ("<s>", "a", "b", "c", "d", "e", "f", "g")
ROWS = [[0, 9], [3, 4], [4, 3], [0, 1], [-3, -4], [5, -12], [-4, 3], [1, 1]]


def model(*, tied: bool = False, padding: int = 0) -> LlamaForCausalLM:
    """A model whose first input rows are ``ROWS``; rows of padding point where ``a`` does."""
    config = LlamaConfig(
        vocab_size=len(ROWS) + padding,
        hidden_size=2,
        intermediate_size=2,
        num_hidden_layers=1,
        num_attention_heads=1,
        tie_word_embeddings=tied,
    )
    made = LlamaForCausalLM(config)
    with torch.no_grad():
        made.get_input_embeddings().weight[:] = torch.tensor([*ROWS, *[[3, 4]] * padding], dtype=torch.float32)
    return made


def grafted(of: LlamaForCausalLM, new: list[int]) -> Any:
    vocabulary = SimpleNamespace(tokens=TOKENS, size=len(TOKENS))
    return SimpleNamespace(model=of, vocabulary=vocabulary, alignment=SimpleNamespace(new=np.array(new, np.int64)))


@pytest.mark.parametrize("tied", [True, False])
def test_nearest_rows_by_hand(tied: bool) -> None:
    """``a`` = (3, 4) / 5: cosine 0.96 with b = (4, 3) / 5, 0.99 with g = (1, 1) / √2, 0.8 with c = <s> = (0, 1)."""
    found = neighborhoods(model(tied=tied, padding=4), np.array([1, 5]), len(ROWS))
    assert found.norms.tolist() == [5, 13]
    nearest = [TOKENS[i] for i in found.ids[0].tolist()]
    assert nearest[:2] == ["g", "b"]
    assert set(nearest[2:4]) == {"<s>", "c"}
    assert nearest[4] == "f", "(-4, 3) · (3, 4) = 0, above d and e, which point away"
    torch.testing.assert_close(found.cosines[0], torch.tensor([7 / 50**0.5, 0.96, 0.8, 0.8, 0.0]), atol=1e-6, rtol=0)


def test_a_row_is_not_its_own_neighbor_where_all_are_equal() -> None:
    same = model()
    with torch.no_grad():
        same.get_input_embeddings().weight[:] = 1.0
    found = neighborhoods(same, np.arange(8), 8)
    assert found.ids.shape == (8, 5)
    assert not (found.ids == torch.arange(8)[:, None]).any()
    torch.testing.assert_close(found.cosines, torch.ones(8, 5))


def test_all_frequent_tokens_and_few_rare_ones() -> None:
    """Of 6,000 ranks, 300 places whose logarithms are evenly spaced: a step of 6000^(1/299) = 1.0295 each."""
    counts = np.arange(7000)[::-1].copy()
    counts[0] = 1  # the most frequent id has become the rarest but one
    found = sampled_tokens(np.arange(6000), counts)
    assert found[:30].tolist() == list(range(1, 31))
    assert found[-1] == 0
    assert 190 < len(found) < 230
    assert sampled_tokens(np.array([5, 3, 4]), counts).tolist() == [3, 4, 5], "few tokens are all there"
    assert not len(sampled_tokens(np.array([], np.int64), counts))


def test_the_file_holds_before_and_after(tmp_path: Path) -> None:
    """Adaptation turns ``a`` into (0, -8): only e = (5, -12) / 13 and d = (-3, -4) / 5 are on its side."""
    trained = model()
    tracked = TrackedRows(grafted(trained, [1, 2]), np.array([0, 5, 9, 0, 0, 0, 0, 0]))
    with torch.no_grad():
        trained.get_input_embeddings().weight[1] = torch.tensor([0.0, -8.0])
    tracked.write(tmp_path, trained)
    b, a = pq.read_table(tmp_path / "neighbors.parquet").to_pylist()
    assert (b["token"], a["token"], a["target_id"]) == ("b", "a", 1), "the most frequent first"
    assert (a["norm_before"], a["norm_after"]) == (5, 8)
    assert a["neighbors_before"][:2] == ["g", "b"]
    assert a["neighbors_after"][:2] == ["e", "d"]
    assert a["cosines_after"][:2] == pytest.approx([12 / 13, 0.8])
    assert b["neighbors_before"][:2] == ["g", "a"]
    assert "a" not in b["neighbors_after"], "it points away now"


def test_nothing_is_written_where_no_token_is_new(tmp_path: Path) -> None:
    kept = model()
    TrackedRows(grafted(kept, []), np.zeros(8, np.int64)).write(tmp_path, kept)
    assert not list(tmp_path.iterdir())
