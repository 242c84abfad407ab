"""Objectives: the fast losses equal the models' own, the noise is what it says, and wrong uses are refused."""

from __future__ import annotations

import pytest
import torch
from torch.profiler import ProfilerActivity, profile
from transformers import (
    CohereConfig,
    CohereForCausalLM,
    DistilBertConfig,
    DistilBertForMaskedLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GraniteConfig,
    GraniteForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
)

from fixtures.adapting import load
from lexigraft.adapters.training.lora import add_lora
from lexigraft.adapters.training.model_parts import parts
from lexigraft.adapters.training.trainable import set_trainable
from lexigraft.core.config.adaptation import AdaptSettings, Phase
from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.architecture import model_kind
from lexigraft.core.models.heads import separable
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.training.objective import Objective, refuse_unsuitable, refuse_without_mask
from lexigraft.core.training.packing import pack
from lexigraft.plugins.objectives.causal import Causal
from lexigraft.plugins.objectives.masked import Masked
from lexigraft.plugins.objectives.span_corruption import SpanCorruption
from lexigraft.testing.sample_text import SOURCE_TEXT
from lexigraft.testing.tiny_models import FIXTURES, fixture

OBJECTIVES: dict[str, Objective] = {
    "masked": Masked(logits_per_block=5000),
    "causal": Causal(logits_per_block=5000),
    "seq2seq": SpanCorruption(),
}


def _sequences(vocabulary: Vocabulary, kind: str, rows: int = 4, length: int = 32) -> torch.Tensor:
    packed = pack(vocabulary, SOURCE_TEXT.splitlines(), length, kind=kind)
    return torch.from_numpy(packed.rows[:rows]).long()


def _gradients(model: PreTrainedModel, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    model.zero_grad()
    loss.backward()
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def _assert_the_models_own(model: PreTrainedModel, objective: Objective, batch: dict[str, torch.Tensor]) -> None:
    ours, own = objective.loss(model, batch), model(**batch).loss
    assert ours.item() == pytest.approx(own.item(), abs=1e-5)
    fast, whole = _gradients(model, ours), _gradients(model, own)
    assert fast.keys() == whole.keys()
    for parameter, gradient in whole.items():
        torch.testing.assert_close(fast[parameter], gradient, atol=1e-5, rtol=1e-4)


FLOAT32 = [f.name for f in FIXTURES if f.dtype == "float32"]


@pytest.mark.parametrize("name", FLOAT32)
def test_loss_and_gradients_equal_the_models_own(name: str) -> None:
    model, tokenizer, _ = fixture(name)
    vocabulary = Vocabulary.of(tokenizer)
    kind = model_kind(model.config)
    objective = OBJECTIVES[kind]
    batch = objective.batch(_sequences(vocabulary, kind), vocabulary, torch.Generator().manual_seed(1))
    _assert_the_models_own(model, objective, batch)


@pytest.mark.parametrize("tables", ["full", "frozen", "lora"])
@pytest.mark.parametrize("name", FLOAT32)
def test_loss_and_gradients_with_lora_equal_the_models_own(name: str, tables: str) -> None:
    model, vocabulary = load(name)
    found = parts(model)
    if tables == "lora" and (found.tied or model.config.is_encoder_decoder):
        pytest.skip("LoRA cannot train a table that several parts share")
    phase = Phase(steps=1, embeddings=tables, head=tables)
    add_lora(model, AdaptSettings(lora_dropout=0.0), [phase])
    set_trainable(model, found, phase, None)
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            if "lora_B" in parameter_name or "lora_embedding_A" in parameter_name:
                parameter.normal_(std=0.1, generator=torch.Generator().manual_seed(0))
    kind = model_kind(model.config)
    objective = OBJECTIVES[kind]
    batch = objective.batch(_sequences(vocabulary, kind), vocabulary, torch.Generator().manual_seed(1))
    assert kind == "seq2seq" or separable(model, batch["input_ids"])
    _assert_the_models_own(model, objective, batch)


SHAPE = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
GEMMA = {"num_key_value_heads": 1, "head_dim": 8, "final_logit_softcapping": 0.5}
HEADS = {
    "soft cap": lambda size: Gemma2ForCausalLM(Gemma2Config(vocab_size=size, **SHAPE, **GEMMA)),
    "factor": lambda size: CohereForCausalLM(CohereConfig(vocab_size=size, **SHAPE, logit_scale=0.25)),
    "divisor": lambda size: GraniteForCausalLM(GraniteConfig(vocab_size=size, **SHAPE, logits_scaling=3.0)),
}


@pytest.mark.parametrize("head", HEADS)
def test_scales_and_soft_caps_are_the_models_own(head: str) -> None:
    vocabulary = Vocabulary.of(fixture("gemma-scaled")[1])
    torch.manual_seed(0)
    model = HEADS[head](vocabulary.size).eval()
    batch = Causal().batch(_sequences(vocabulary, "causal"), vocabulary, torch.Generator())
    assert separable(model, batch["input_ids"])
    _assert_the_models_own(model, Causal(logits_per_block=5000), batch)


def test_a_transform_that_is_part_of_the_model_itself() -> None:
    vocabulary = Vocabulary.of(fixture("bert-tied-bias")[1])
    torch.manual_seed(0)
    model = DistilBertForMaskedLM(
        DistilBertConfig(vocab_size=vocabulary.size, dim=16, n_layers=1, n_heads=2, hidden_dim=16, dropout=0.0)
    ).eval()
    batch = Masked().batch(_sequences(vocabulary, "masked"), vocabulary, torch.Generator().manual_seed(0))
    assert separable(model, batch["input_ids"])
    _assert_the_models_own(model, Masked(), batch)


class _Twice(LlamaForCausalLM):
    """Its head takes two products."""

    def forward(self, input_ids: torch.Tensor, **others: object) -> object:
        """The sum of both, one of them squared."""
        output = super().forward(input_ids, **others)
        output.logits = output.logits.square() + self.lm_head(self.model(input_ids)[0])
        return output


def test_a_head_of_two_products_falls_back_to_the_full_logits() -> None:
    vocabulary = Vocabulary.of(fixture("llama-tied")[1])
    model = _Twice(LlamaConfig(vocab_size=vocabulary.size, **SHAPE)).eval()
    batch = Causal().batch(_sequences(vocabulary, "causal"), vocabulary, torch.Generator())
    assert not separable(model, batch["input_ids"])
    own = torch.nn.functional.cross_entropy(
        model(batch["input_ids"]).logits[:, :-1].flatten(0, 1), batch["labels"][:, 1:].flatten()
    )
    assert Causal().loss(model, batch).item() == pytest.approx(own.item(), abs=1e-5)


@pytest.mark.parametrize("lora", [False, True])
def test_the_whole_logits_are_never_held(lora: bool) -> None:
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(vocab_size=5000, **SHAPE))
    if lora:
        add_lora(model, AdaptSettings(), [Phase(steps=1, embeddings="lora", head="lora")])
    ids = torch.randint(5000, (4, 64))
    assert separable(model, ids)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        Causal(logits_per_block=20 * 5000).loss(model, {"input_ids": ids, "labels": ids}).backward()
    assert max(event.self_cpu_memory_usage for event in seen.events()) <= 20 * 5000 * 4


def test_a_head_that_cannot_run_alone_falls_back_to_the_full_logits() -> None:
    model, tokenizer, _ = fixture("llama-tied")
    vocabulary = Vocabulary.of(tokenizer)
    head = model.lm_head.forward
    model.lm_head.forward = lambda hidden: head(hidden - hidden.mean(1, keepdim=True))
    batch = Causal().batch(_sequences(vocabulary, "causal"), vocabulary, torch.Generator())
    assert not separable(model, batch["input_ids"])
    assert Causal().loss(model, batch).item() == pytest.approx(model(**batch).loss.item(), abs=1e-5)


def test_masking_hides_the_share_asked_for_and_never_a_special_token() -> None:
    _, tokenizer, _ = fixture("bert-tied-bias")
    vocabulary = Vocabulary.of(tokenizer)
    sequences = _sequences(vocabulary, "masked").repeat(200, 1)
    batch = Masked(mask_share=0.3).batch(sequences, vocabulary, torch.Generator().manual_seed(0))
    chosen = batch["labels"] != -100
    special = torch.isin(sequences, torch.tensor(sorted(vocabulary.special_ids)))
    assert not (chosen & special).any()
    assert chosen.sum() / (~special).sum() == pytest.approx(0.3, abs=0.01)
    assert torch.equal(batch["labels"][chosen], sequences[chosen])
    assert torch.equal(batch["input_ids"][~chosen], sequences[~chosen])
    seen = batch["input_ids"][chosen]
    mask = seen == vocabulary.specials["mask"]
    kept = seen == sequences[chosen]
    assert mask.float().mean() == pytest.approx(0.8, abs=0.02)
    assert kept.float().mean() == pytest.approx(0.1, abs=0.02)
    assert not torch.isin(seen[~mask], torch.tensor(sorted(vocabulary.special_ids))).any()


def test_a_tiny_share_still_chooses_one_token() -> None:
    _, tokenizer, _ = fixture("bert-tied-bias")
    vocabulary = Vocabulary.of(tokenizer)
    batch = Masked(mask_share=1e-6).batch(_sequences(vocabulary, "masked", rows=1), vocabulary, torch.Generator())
    assert (batch["labels"] != -100).sum() == 1


def test_spans_put_back_into_the_input_give_the_text_again() -> None:
    _, tokenizer, _ = fixture("t5-tied")
    vocabulary = Vocabulary.of(tokenizer)
    sequences = _sequences(vocabulary, "seq2seq", rows=8, length=60)
    batch = SpanCorruption(density=0.3).batch(sequences, vocabulary, torch.Generator().manual_seed(3))
    marks = {i for i, t in enumerate(vocabulary.tokens) if t.startswith("<extra_id_")}
    end = vocabulary.specials["eos"]
    for row, inputs, labels in zip(sequences, batch["input_ids"].tolist(), batch["labels"].tolist(), strict=True):
        assert inputs[-1] == end
        assert labels[-1] == end
        spans: dict[int, list[int]] = {}
        for token in labels[:-1]:
            if token in marks:
                current = spans.setdefault(token, [])
            else:
                current.append(token)
        assert list(spans) == [token for token in inputs if token in marks]
        assert next(iter(spans)) == tokenizer.convert_tokens_to_ids("<extra_id_0>")
        restored = [t for token in inputs[:-1] for t in (spans[token] if token in marks else [token])]
        assert restored == row.tolist()
        assert sum(map(len, spans.values())) == 18


def _half_learned(sequences: torch.Tensor) -> torch.Tensor:
    return torch.rand(sequences.shape, generator=torch.Generator().manual_seed(4)) < 0.5


@pytest.mark.parametrize("tied", [True, False])
def test_causal_leaves_tokens_out_as_the_models_own_loss_does(tied: bool) -> None:
    model, vocabulary = load("llama-tied" if tied else "llama-untied")
    sequences = _sequences(vocabulary, "causal")
    predictable = _half_learned(sequences)
    batch = Causal(logits_per_block=5000).batch(sequences, vocabulary, torch.Generator(), predictable)
    assert torch.equal(batch["labels"] == -100, ~predictable)
    assert torch.equal(batch["input_ids"], sequences)
    assert Causal().predicted(batch) == predictable[:, 1:].sum()
    _assert_the_models_own(model, Causal(logits_per_block=5000), batch)


def test_causal_without_a_token_to_learn_has_a_loss_of_zero() -> None:
    model, vocabulary = load("llama-untied")
    sequences = _sequences(vocabulary, "causal")
    batch = Causal().batch(sequences, vocabulary, torch.Generator(), torch.zeros_like(sequences, dtype=torch.bool))
    loss = Causal().loss(model, batch)
    loss.backward()
    assert loss.item() == 0


def test_masked_never_chooses_what_is_not_learned() -> None:
    model, vocabulary = load("bert-tied-bias")
    sequences = _sequences(vocabulary, "masked").repeat(100, 1)
    predictable = _half_learned(sequences)
    objective = Masked(mask_share=0.3)
    batch = objective.batch(sequences, vocabulary, torch.Generator().manual_seed(0), predictable)
    chosen = batch["labels"] != -100
    special = torch.isin(sequences, torch.tensor(sorted(vocabulary.special_ids)))
    assert not (chosen & ~predictable).any()
    assert torch.equal(batch["input_ids"][~chosen], sequences[~chosen])
    assert chosen.sum() / (predictable & ~special).sum() == pytest.approx(0.3, abs=0.02)
    few = {name: tensor[:4] for name, tensor in batch.items()}
    _assert_the_models_own(model, objective, few)


def test_spans_that_are_not_learned_are_read_and_not_predicted() -> None:
    model, vocabulary = load("t5-tied")
    sequences = _sequences(vocabulary, "seq2seq", rows=4, length=60)
    predictable = _half_learned(sequences)
    objective = SpanCorruption(density=0.3)
    plain = objective.batch(sequences, vocabulary, torch.Generator().manual_seed(3))
    batch = objective.batch(sequences, vocabulary, torch.Generator().manual_seed(3), predictable)
    assert torch.equal(batch["targets"], plain["labels"])
    assert torch.equal(batch["input_ids"], plain["input_ids"])
    hidden = batch["labels"] == -100
    assert torch.equal(batch["labels"][~hidden], plain["labels"][~hidden])
    # Rows of one text each: a target is hidden where its token is not learned; sentinels and the end always are.
    marks = torch.tensor([i for i, t in enumerate(vocabulary.tokens) if t.startswith("<extra_id_")])
    framing = torch.isin(plain["labels"], marks)
    framing[:, -1] = True
    assert not (hidden & framing).any()
    assert objective.predicted(batch) == (~hidden).sum() < objective.predicted(plain)
    everything = torch.ones_like(predictable)
    whole = objective.batch(sequences, vocabulary, torch.Generator().manual_seed(3), everything)
    assert objective.loss(model, whole).item() == pytest.approx(objective.loss(model, plain).item(), abs=1e-5)
    shown = model.prepare_decoder_input_ids_from_labels(labels=plain["labels"])
    logits = model(input_ids=plain["input_ids"], decoder_input_ids=shown).logits
    nats = torch.nn.functional.cross_entropy(logits[~hidden], plain["labels"][~hidden])
    assert objective.loss(model, batch).item() == pytest.approx(nats.item(), abs=1e-5)


class _Old(Causal):
    """An objective from before there were masks."""

    def batch(self, sequences, vocabulary, generator):  # type: ignore[no-untyped-def, override]
        """All tokens."""
        return {"input_ids": sequences, "labels": sequences}


def test_an_objective_that_takes_no_mask_is_refused_where_one_is_needed() -> None:
    refuse_without_mask(Causal())
    with pytest.raises(LexigraftError, match="cannot leave tokens out of the loss"):
        refuse_without_mask(_Old())


@pytest.mark.parametrize("name", ["roberta-tied-bias", "t5-tied"])
def test_noise_depends_on_the_generator_alone(name: str) -> None:
    model, tokenizer, _ = fixture(name)
    vocabulary = Vocabulary.of(tokenizer)
    kind = model_kind(model.config)
    sequences = _sequences(vocabulary, kind)
    state = torch.random.get_rng_state()
    first, again, other = (
        OBJECTIVES[kind].batch(sequences, vocabulary, torch.Generator().manual_seed(seed)) for seed in (5, 5, 6)
    )
    assert torch.equal(state, torch.random.get_rng_state())
    assert torch.equal(first["input_ids"], again["input_ids"])
    assert not torch.equal(first["input_ids"], other["input_ids"])


def test_wrong_uses_are_refused() -> None:
    llama, tokenizer, _ = fixture("llama-untied")
    vocabulary = Vocabulary.of(tokenizer)
    with pytest.raises(LexigraftError, match="does not suit a causal model"):
        refuse_unsuitable(Masked(), llama.config)
    with pytest.raises(LexigraftError, match="no mask token"):
        Masked().batch(torch.ones(1, 8, dtype=torch.long), vocabulary, torch.Generator())
    with pytest.raises(LexigraftError, match="no sentinel tokens"):
        SpanCorruption().batch(torch.ones(1, 8, dtype=torch.long), vocabulary, torch.Generator())
    for wrong in ({"mask_share": 0.0}, {"mask_token_share": 0.9, "random_token_share": 0.2}):
        with pytest.raises(ValueError, match="share"):
            Masked(**wrong)
