"""Source-shielded updates: importance worked out by hand, and chosen columns that stay bit for bit."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from fixtures.adapting import adapted, load, weights
from lexigraft.adapters.training.model_parts import parts
from lexigraft.adapters.training.shielding import Columns, importance, most_important
from lexigraft.core.config.adaptation import AdaptSettings
from lexigraft.core.config.base import validate
from lexigraft.core.data.corpus import Corpus
from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.architecture import model_kind
from lexigraft.core.registry import make
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.training.objective import DEFAULT_OBJECTIVE
from lexigraft.core.training.packing import pack
from lexigraft.testing.sample_text import TARGET_TEXT

SOURCE = Corpus.of(TARGET_TEXT.splitlines())
HALF: dict[str, Any] = {"body": "shielded:0.5", "texts": {"source": "source.txt"}, "weight_decay": 0.1}


def _scores(model: PreTrainedModel, vocabulary: Vocabulary) -> dict[str, Columns]:
    kind = model_kind(model.config)
    source = pack(vocabulary, SOURCE.lines, 32, kind=kind)
    return importance(model, parts(model), make("objective", DEFAULT_OBJECTIVE[kind]), vocabulary, source, seed=3)


def test_importance_is_weight_times_norm_of_what_it_reads_summed_by_column() -> None:
    model, vocabulary = load("gpt2-tied")
    layer, seen = model.transformer.h[0].attn.c_attn, []
    width = model.config.n_embd
    _scores(model, vocabulary)
    hook = layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].double().reshape(-1, width)))
    scores = _scores(model, vocabulary)
    hook.remove()
    features = torch.cat(seen[1:])  # the first row is read once before, and not counted
    assert len(features) == pack(vocabulary, SOURCE.lines, 32, kind="causal").rows.size
    # GPT-2 keeps its weights as (in, out): feature j is read by row j.
    rows, columns = layer.weight.tolist(), features.T.tolist()
    expected = [
        sum(map(abs, row)) * math.sqrt(sum(x * x for x in column)) for row, column in zip(rows, columns, strict=True)
    ]
    found = scores["transformer.h.0.attn.c_attn.weight"]
    assert found.axis == 0
    torch.testing.assert_close(found.values, torch.tensor(expected, dtype=torch.float64))


def test_the_most_important_share_by_hand() -> None:
    scores = {"w": Columns(1, torch.tensor([3.0, 1.0, 5.0, 3.0, 0.0]))}
    # Of 5 columns a share of 0.5 is 2.5, which rounds to 3, and 0.2 is 1.
    assert most_important(scores, 0.5)["w"].values.tolist() == [0, 2, 3]
    assert most_important(scores, 0.2)["w"].values.tolist() == [2]


@pytest.mark.parametrize("name", ["bert-tied-bias", "gpt2-tied", "llama-untied", "t5-tied"])
def test_shielded_columns_stay_bit_for_bit_and_the_rest_trains(name: str) -> None:
    model, vocabulary = load(name)
    before, columns = weights(model), most_important(_scores(model, vocabulary), 0.5)
    result = adapted(model, vocabulary, HALF, texts={"source": SOURCE})
    after = weights(result.model)
    assert set(columns) <= parts(result.model).body
    assert len(columns) >= 8
    held = 0
    for weight, chosen in columns.items():
        same = (after[weight] == before[weight]).all(1 - chosen.axis)
        assert same.nonzero().flatten().tolist() == chosen.values.tolist()
        held += len(chosen.values) * after[weight].shape[1 - chosen.axis]
    others = parts(result.model).body - set(columns)
    assert any(not torch.equal(after[name], before[name]) for name in others)
    assert result.trainable_parameters == sum(p.numel() for p in result.model.parameters()) - held


def test_an_interrupted_run_keeps_the_same_columns(tmp_path: Path) -> None:
    def stop(step: int, _: PreTrainedModel) -> None:
        raise KeyboardInterrupt

    options = HALF | {"checkpoint_every": 1}
    model, vocabulary = load("bert-tied-bias")
    whole = weights(adapted(model, vocabulary, options, texts={"source": SOURCE}).model)
    model, vocabulary = load("bert-tied-bias")
    with pytest.raises(KeyboardInterrupt):
        adapted(model, vocabulary, options, texts={"source": SOURCE}, work=tmp_path, on_step=stop, eval_steps=[3])
    model, vocabulary = load("bert-tied-bias")
    again = weights(adapted(model, vocabulary, options, texts={"source": SOURCE}, work=tmp_path).model)
    assert all(torch.equal(whole[name], again[name]) for name in whole)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"body": "shielded:0.5"}, "needs source-language text"),
        ({"steps": 2, "phases": [{"steps": 2, "body": "shielded:0.5"}]}, "needs source-language text"),
        ({"body": "shielded:0", "texts": HALF["texts"]}, "body"),
        ({"body": "shielded:1", "texts": HALF["texts"]}, "body"),
        ({"body": "shielded", "texts": HALF["texts"]}, "body"),
    ],
)
def test_shields_that_cannot_be_are_refused(changed: dict[str, Any], expected: str) -> None:
    with pytest.raises(LexigraftError, match=expected):
        validate(AdaptSettings, changed, "adapt")
