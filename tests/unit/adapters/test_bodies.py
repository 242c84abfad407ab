"""Bodies with limits of their own: no plain language-model head, or layers that LoRA cannot reach."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers

from lexigraft.api.adapt import adapt
from lexigraft.api.evaluate import evaluate
from lexigraft.core.config.adaptation import AdaptSettings
from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.architecture import model_kind, predicts_text
from lexigraft.testing.tiny_tokenizers import tiny_tokenizer

SHAPE = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
HEADLESS = ("BertModel", "BertForPreTraining", "BertForSequenceClassification", "ElectraForPreTraining")
TEXT = "".join(f"the river {n} runs past the old house {n * n}\n" for n in range(60))
STEPS = AdaptSettings(steps=4, batch_tokens=64, sequence_length=32, learning_rate=0.01)


@pytest.mark.parametrize("name", HEADLESS)
def test_a_body_without_a_language_model_head_is_one_error(tmp_path: Path, name: str) -> None:
    tokenizer = tiny_tokenizer("wordpiece", "source")
    cls = getattr(transformers, name)
    cls(cls.config_class(vocab_size=len(tokenizer), **SHAPE)).save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    (tmp_path / "text.txt").write_text(TEXT)
    for use in (evaluate, lambda model, text: adapt(model, text, out=tmp_path / "out", settings=STEPS)):
        with pytest.raises(LexigraftError, match=f"predicts no text: {name}"):
            use(str(tmp_path / "model"), [tmp_path / "text.txt"])
    assert not (tmp_path / "out").exists()


def test_every_class_with_a_language_model_head_is_known_by_name() -> None:
    for name in ("BertForMaskedLM", "GPT2LMHeadModel", "T5ForConditionalGeneration", "XLMWithLMHeadModel"):
        assert predicts_text(name)
    with pytest.raises(LexigraftError, match="BartForSequenceClassification"):
        model_kind(transformers.BartConfig(architectures=["BartForSequenceClassification"]))


def test_lora_leaves_out_the_layers_of_mamba_that_it_cannot_reach(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer("byte_bpe", "source")
    config = transformers.MambaConfig(vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=1)
    transformers.MambaForCausalLM(config).save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    (tmp_path / "text.txt").write_text(TEXT)
    adapt(str(tmp_path / "model"), [tmp_path / "text.txt"], out=tmp_path / "out", settings=STEPS)
    before, after = (transformers.MambaForCausalLM.from_pretrained(tmp_path / n) for n in ("model", "out"))
    changed = {n for n, p in after.named_parameters() if not torch.equal(p, before.get_parameter(n))}
    assert any("in_proj" in name for name in changed)
    assert not any("out_proj" in name for name in changed)
    refused = STEPS.model_copy(update={"lora_targets": ["out_proj"]})
    with pytest.raises(LexigraftError, match="no linear layer"):
        adapt(str(tmp_path / "model"), [tmp_path / "text.txt"], out=tmp_path / "again", settings=refused)
