"""QLoRA: 4 bits while LoRA trains, the layers' own weights afterwards, and clear refusals."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from fixtures.adapting import adapted, load, weights
from lexigraft.adapters.training.export import save_adapter
from lexigraft.adapters.training.model_parts import parts
from lexigraft.adapters.training.saved_adapter import load_adapter
from lexigraft.core.config.adaptation import AdaptSettings
from lexigraft.core.errors import LexigraftError

FOUR = {"quantization": "4bit"}
INSTALLED = importlib.util.find_spec("bitsandbytes") is not None
needs_bitsandbytes = pytest.mark.skipif(not INSTALLED, reason="bitsandbytes is not installed")


@needs_bitsandbytes
@pytest.mark.parametrize("name", ["llama-untied", "bert-tied-bias", "t5-tied", "llama-bf16"])
def test_lora_trains_on_4_bits_and_is_merged_into_the_layers_own_weights(name: str, tmp_path: Path) -> None:
    model, vocabulary = load(name)
    before, layers = weights(model), {n: type(m) for n, m in model.named_modules()}
    seen: list[set[torch.dtype]] = []

    def on_step(step: int, live: PreTrainedModel) -> None:
        seen.append({p.dtype for n, p in live.named_parameters() if n.endswith("base_layer.weight")})

    result = adapted(model, vocabulary, FOUR, on_step=on_step, eval_steps=[2])
    assert seen == [{torch.uint8}]
    assert {n: type(m) for n, m in result.model.named_modules()} == layers
    after = weights(result.model)
    assert {n: p.dtype for n, p in after.items()} == {n: p.dtype for n, p in before.items()}
    body = parts(result.model).body
    changed = {n for n in body if not torch.equal(before[n], after[n])}
    assert len(changed) >= 8
    for weight in changed if model.dtype == torch.float32 else ():  # of LoRA's rank, unlike the rounding to 4 bits
        assert torch.linalg.matrix_rank((after[weight] - before[weight]).float(), rtol=0.02) <= 8
    save_adapter(result, tmp_path / "adapter")
    start, _ = load(name)
    again = weights(load_adapter(start, tmp_path / "adapter"))
    tolerance = 2e-2 if model.dtype == torch.bfloat16 else 1e-6
    for parameter, value in after.items():
        torch.testing.assert_close(again[parameter], value, atol=tolerance, rtol=tolerance)


@needs_bitsandbytes
def test_an_interrupted_run_ends_with_the_same_weights(tmp_path: Path) -> None:
    def stop(step: int, _: PreTrainedModel) -> None:
        raise KeyboardInterrupt

    options = FOUR | {"checkpoint_every": 1}
    model, vocabulary = load("llama-untied")
    whole = weights(adapted(model, vocabulary, options).model)
    model, vocabulary = load("llama-untied")
    with pytest.raises(KeyboardInterrupt):
        adapted(model, vocabulary, options, work=tmp_path, on_step=stop, eval_steps=[3])
    model, vocabulary = load("llama-untied")
    again = weights(adapted(model, vocabulary, options, work=tmp_path).model)
    assert all(torch.equal(whole[name], again[name]) for name in whole)


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("llama-untied", {"body": "full"}, "4-bit weights cannot train: body full"),
        ("llama-untied", {"body": "frozen"}, "no layer has LoRA"),
        ("llama-untied", {"embeddings": "lora"}, "this layer cannot be in 4 bits: model.embed_tokens"),
        ("gpt2-tied", {}, "this layer cannot be in 4 bits"),
    ],
)
def test_what_cannot_be_in_4_bits_is_refused(name: str, options: dict[str, Any], expected: str) -> None:
    model, vocabulary = load(name)
    before = weights(model)
    with pytest.raises(LexigraftError, match=expected):
        adapted(model, vocabulary, FOUR | options)
    assert all(torch.equal(before[n], p) for n, p in weights(model).items())


@pytest.mark.skipif(INSTALLED, reason="bitsandbytes is installed")
def test_without_bitsandbytes_there_is_one_error() -> None:
    model, vocabulary = load("llama-untied")
    with pytest.raises(LexigraftError, match=r"lexigraft\[qlora\]"):
        adapted(model, vocabulary, FOUR)


def test_plain_weights_are_in_no_key() -> None:
    assert "quantization" not in AdaptSettings().model_dump()
