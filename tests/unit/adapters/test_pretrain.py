"""Pretraining: shapes follow the preset and the vocabulary, the bias starts at unigrams, the loss falls."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from fixtures.adapting import CORPUS, weights
from fixtures.denormals import all_zeros
from lexigraft.adapters.training.pretrain import build, fitted, pretrain, start_at_unigrams
from lexigraft.core.config.model_presets import MODEL_PRESETS
from lexigraft.core.config.recipe import PretrainSettings
from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.training.packing import pack
from lexigraft.plugins.objectives.causal import Causal
from lexigraft.plugins.objectives.masked import Masked
from lexigraft.testing.tiny_tokenizers import tiny_tokenizer

SHAPES = {
    "roberta": {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16},
    "llama": {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16},
}


def _settings(**options: object) -> PretrainSettings:
    values = {"steps": 3, "batch_tokens": 64, "sequence_length": 32, "learning_rate": 1e-2}
    return PretrainSettings(**{**values, **options})


def _shape(folder: Path, kind: str) -> str:
    path = folder / "config.json"
    path.write_text(json.dumps({"model_type": kind, **SHAPES[kind]}))
    return str(path)


@pytest.mark.parametrize("preset", sorted(MODEL_PRESETS))
def test_presets_fit_the_vocabulary(preset: str) -> None:
    from transformers import AutoConfig

    kind = "wordpiece" if preset.startswith("bert") else "unigram"
    vocabulary = Vocabulary.of(tiny_tokenizer(kind, "target"))
    config = fitted(AutoConfig.for_model(**MODEL_PRESETS[preset]), vocabulary, 600)
    assert config.vocab_size == vocabulary.size
    assert config.pad_token_id == vocabulary.specials["pad"]
    assert config.max_position_embeddings >= 600
    if preset.startswith("roberta"):
        assert config.max_position_embeddings == 600 + vocabulary.specials["pad"] + 1
    if "tiny" in preset:
        model = build(config, 0)
        assert model.get_input_embeddings().weight is model.get_output_embeddings().weight
        ids = torch.full((1, 600), 20)
        assert model.eval()(input_ids=ids).logits.shape == (1, 600, vocabulary.size)


def test_the_bias_starts_at_smoothed_log_frequencies(tmp_path: Path) -> None:
    vocabulary = Vocabulary.of(tiny_tokenizer("unigram"))
    packed = pack(vocabulary, CORPUS.lines, 32, kind="masked")
    from transformers import RobertaConfig

    model = build(fitted(RobertaConfig(**SHAPES["roberta"]), vocabulary, 32), 0)
    start_at_unigrams(model, packed, vocabulary)
    bias = model.get_output_embeddings().bias
    assert bias is model.lm_head.bias
    chances = bias.detach().double().exp()
    assert chances.sum().item() == pytest.approx(1.0, abs=1e-5)
    counts = np.bincount(packed.rows.ravel(), minlength=vocabulary.size)
    ordinary = [i for i in range(vocabulary.size) if i not in vocabulary.special_ids]
    often, rare = max(ordinary, key=lambda i: counts[i]), min(ordinary, key=lambda i: counts[i])
    assert chances[often] / chances[rare] == pytest.approx((counts[often] + 1) / (counts[rare] + 1), rel=1e-4)
    assert chances[vocabulary.specials["sep"]] == chances.min()


def test_a_masked_model_learns_and_starts_at_the_unigram_loss(tmp_path: Path) -> None:
    vocabulary = Vocabulary.of(tiny_tokenizer("unigram"))
    settings = _settings(preset=_shape(tmp_path, "roberta"), steps=40, batch_tokens=256)
    losses: list[float] = []

    def on_step(step: int, model: torch.nn.Module) -> None:
        rows = torch.from_numpy(pack(vocabulary, CORPUS.lines, 32, kind="masked").rows).long()
        batch = Masked().batch(rows, vocabulary, torch.Generator().manual_seed(0))
        with torch.no_grad():
            losses.append(Masked().loss(model, batch).item())

    model = pretrain(CORPUS, vocabulary, settings, objective=Masked(0.3), on_step=on_step, eval_steps=[1, 40])
    assert losses[0] < 0.95 * math.log(vocabulary.size)
    assert losses[1] < losses[0] - 0.1
    assert not model.training
    assert model.config.architectures == ["RobertaForMaskedLM"]
    model.save_pretrained(tmp_path / "model")
    reloaded = type(model).from_pretrained(tmp_path / "model")
    assert all(torch.equal(weights(model)[n], p) for n, p in reloaded.named_parameters())


def test_a_causal_model_is_the_same_after_an_interruption(tmp_path: Path) -> None:
    vocabulary = Vocabulary.of(tiny_tokenizer("byte_bpe"))
    settings = _settings(preset=_shape(tmp_path, "llama"), steps=6, checkpoint_every=2)
    whole = weights(pretrain(CORPUS, vocabulary, settings, objective=Causal()))

    def on_step(step: int, model: torch.nn.Module) -> None:
        assert all_zeros()
        raise KeyboardInterrupt

    work = tmp_path / "work"
    with pytest.raises(KeyboardInterrupt):
        pretrain(CORPUS, vocabulary, settings, objective=Causal(), work=work, on_step=on_step, eval_steps=[5])
    assert not all_zeros()
    assert list(work.rglob("checkpoint-4"))
    resumed = weights(pretrain(CORPUS, vocabulary, settings, objective=Causal(), work=work))
    assert all(torch.equal(whole[n], resumed[n]) for n in whole)
    assert not list(work.iterdir())


def test_an_end_token_that_pads_too_trains(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer("bpe_byte_fallback")
    tokenizer.pad_token = tokenizer.eos_token
    vocabulary = Vocabulary.of(tokenizer)
    settings = _settings(preset=_shape(tmp_path, "llama"))
    model = pretrain(CORPUS, vocabulary, settings, objective=Causal())
    row = model.get_input_embeddings().weight[vocabulary.specials["eos"]]
    assert row.abs().max() > 0  # drawn as zeros, being the padding token's


def test_wrong_shapes_are_refused(tmp_path: Path) -> None:
    vocabulary = Vocabulary.of(tiny_tokenizer("byte_bpe"))
    with pytest.raises(LexigraftError, match="Did you mean 'roberta-tiny'"):
        pretrain(CORPUS, vocabulary, _settings(preset="robberta-tiny"), objective=Masked())
    with pytest.raises(LexigraftError, match="no such configuration file"):
        pretrain(CORPUS, vocabulary, _settings(preset="nowhere/config.json"), objective=Masked())
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(LexigraftError, match="no model configuration"):
        pretrain(CORPUS, vocabulary, _settings(preset=str(tmp_path)), objective=Masked())
    with pytest.raises(LexigraftError, match="does not suit a causal model"):
        pretrain(CORPUS, vocabulary, _settings(preset="llama-tiny"), objective=Masked())
