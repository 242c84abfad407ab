"""Fine-tuning for evaluators: what can be read from the input is learned, and the model is left as it was."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import PreTrainedModel

from lexigraft.adapters.training.peft_calls import expected_peft_warnings
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.fine_tuning import FineTuning, How, fine_tune
from lexigraft.core.evaluation.heads.trained_head import Example, Head
from lexigraft.core.evaluation.model_body import body_of, padded, plain_copy, states
from lexigraft.testing.tiny_models import fixture

KINDS = ["bert-tied-bias", "gpt2-tied", "t5-tied"]
A, B, END = 20, 30, 40
"""Tokens that decide about the labels."""


def examples(count: int, seed: int, whole: bool = False) -> list[Example]:
    """Sequences of 3 to 9 tokens; the label says whether a token (or the last token of the sequence) is ``B``."""
    draw = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        ids = draw.choice([A, B], draw.integers(3, 10)).astype(np.int64)
        labels = (ids == B).astype(np.int64)
        made.append(Example(ids, np.arange(len(ids)), labels[-1:] if whole else labels, len(ids)))
    return made


def accuracy(logits: list[np.ndarray], right: list[Example]) -> float:
    pairs = [(part.argmax(1), e.labels) for part, e in zip(logits, right, strict=True)]
    return float(np.concatenate([found == labels for found, labels in pairs]).mean())


def settings(how: How, **other: object) -> FineTuning:
    return FineTuning(how, **({"epochs": 5, "learning_rate": 0.02} | other))  # type: ignore[arg-type]


def add_lora(model: PreTrainedModel, targets: list[str]) -> None:
    """LoRA layers that change what the model computes, as in the middle of adaptation."""
    with expected_peft_warnings(), torch.random.fork_rng():
        get_peft_model(model, LoraConfig(r=2, target_modules=targets, init_lora_weights=False))


@pytest.fixture(scope="module", params=KINDS)
def model(request: pytest.FixtureRequest) -> PreTrainedModel:
    return fixture(request.param)[0]


@pytest.mark.parametrize("how", ["probe", "lora", "full"])
def test_a_label_that_the_token_decides_is_learned(model: PreTrainedModel, how: How) -> None:
    before = {name: p.clone() for name, p in model.state_dict().items()}
    state, train = torch.random.get_rng_state(), examples(40, 0)
    tuned = fine_tune(model, Head(2, "positions"), settings(how), train, seed=1)
    assert accuracy(tuned.logits(examples(40, 1)), examples(40, 1)) > 0.95
    tokens = sum(len(e.ids) for e in train)
    assert tuned.tokens_trained == (tokens if how == "probe" else 5 * tokens)
    assert torch.equal(state, torch.random.get_rng_state())
    assert not model.training
    assert all(p.requires_grad and p.grad is None for p in model.parameters())
    assert {name for name, p in model.state_dict().items() if not torch.equal(p, before[name])} == set()


def test_the_last_state_alone_is_read_where_it_decides(model: PreTrainedModel) -> None:
    train, test = examples(150, 0, whole=True), examples(60, 1, whole=True)
    tuned = fine_tune(model, Head(2, "last"), settings("probe"), train, seed=0)
    assert accuracy(tuned.logits(test), test) > 0.9


def test_pooled_states_are_those_of_each_sequence_alone(model: PreTrainedModel) -> None:
    some = [e._replace(positions=e.positions[1:]) for e in examples(20, 2, whole=True)]
    tuned = fine_tune(model, Head(2, "mean"), settings("probe"), some, seed=0)
    together = tuned.logits(some)
    with torch.no_grad():
        for example, found in zip(some, together, strict=True):
            alone = states(body_of(model), padded(model, [example.ids], [len(example.ids)]))[0, 1:].mean(0)
            np.testing.assert_allclose(tuned.linear(alone), found[0], atol=1e-3)


@pytest.mark.parametrize("how", ["lora", "full"])
def test_a_span_is_learned(how: How) -> None:
    def spans(count: int, seed: int) -> list[Example]:
        """The span begins at the one ``B`` and ends at the one ``END``."""
        made = []
        for start in np.random.default_rng(seed).integers(0, 6, count):
            ids = np.full(8, A)
            ids[start], ids[start + 1] = B, END
            made.append(Example(ids, np.arange(8), np.array([start, start + 1]), 8))
        return made

    tuned = fine_tune(fixture("bert-tied-bias")[0], Head(2, "positions", spans=True), settings(how), spans(60, 0), 0)
    found = [tuple(logits.argmax(0)) for logits in tuned.logits(spans(40, 1))]
    right = [tuple(e.labels) for e in spans(40, 1)]
    assert sum(a == b for a, b in zip(found, right, strict=True)) > 30


@pytest.mark.parametrize("how", ["lora", "full"])
def test_the_seed_decides_and_global_randomness_does_not(how: How) -> None:
    model, train, test = fixture("roberta-tied-bias")[0], examples(30, 0), examples(10, 1)
    found = []
    for seed, noise in ((1, 5), (1, 6), (2, 5)):
        torch.manual_seed(noise)
        tuned = fine_tune(model, Head(2, "positions"), settings(how, epochs=1), train, seed)
        found.append(np.concatenate(tuned.logits(test)))
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


@pytest.mark.parametrize("how", ["probe", "lora", "full"])
def test_a_model_in_the_middle_of_its_own_training_keeps_all_of_it(how: How) -> None:
    model = fixture("llama-untied")[0]
    add_lora(model, ["q_proj", "down_proj", "embed_tokens"])
    model.train()
    model(input_ids=torch.tensor([[A, B]]), labels=torch.tensor([[A, B]])).loss.backward()
    before = copy.deepcopy(model)
    gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    tuned = fine_tune(model, Head(2, "positions"), settings(how, epochs=3), examples(40, 0), seed=0)
    assert accuracy(tuned.logits(examples(20, 1)), examples(20, 1)) > 0.9
    assert model.training
    assert [type(m) for m in model.modules()] == [type(m) for m in before.modules()]
    for (name, now), (_, then) in zip(model.named_parameters(), before.named_parameters(), strict=True):
        assert torch.equal(now, then), name
        assert now.requires_grad == then.requires_grad, name
        assert (name in gradients) == (now.grad is not None), name
        assert name not in gradients or torch.equal(now.grad, gradients[name]), name  # type: ignore[arg-type]


def test_the_copy_gives_the_states_that_the_model_with_its_adapters_gives() -> None:
    model = fixture("llama-untied")[0]
    add_lora(model, ["q_proj", "embed_tokens"])
    batch = padded(model, [np.array([A, B, A])], [3])
    with torch.no_grad():
        apart = states(body_of(model), batch) - states(plain_copy(model), batch)
    assert apart.abs().max() < 1e-5
    assert not any("lora" in name for name, _ in plain_copy(model).named_parameters())


def test_the_best_epoch_on_dev_items_is_kept() -> None:
    model, train, dev = fixture("bert-tied-bias")[0], examples(30, 0), examples(10, 1)
    reached = iter([0.5, 0.9, 0.1])
    chosen = fine_tune(model, Head(2, "positions"), settings("full", epochs=3), train, 0, dev, lambda _: next(reached))
    seen: list[list[np.ndarray]] = []

    def watch(logits: list[np.ndarray]) -> float:
        seen.append(logits)
        return 0.0

    fine_tune(model, Head(2, "positions"), settings("full", epochs=3), train, 0, dev, watch)
    np.testing.assert_allclose(np.concatenate(chosen.logits(dev)), np.concatenate(seen[1]), atol=1e-6)


def test_bfloat16_models_are_tuned() -> None:
    model = fixture("llama-bf16")[0]
    for how in ("probe", "lora", "full"):
        tuned = fine_tune(model, Head(2, "positions"), settings(how, epochs=2), examples(60, 0), seed=0)
        assert accuracy(tuned.logits(examples(20, 1)), examples(20, 1)) > 0.9


def test_what_cannot_be_trained_is_refused() -> None:
    model = fixture("bert-tied-bias")[0]
    with pytest.raises(LexigraftError, match=r"the model has fewer layers: 3\. Give -1 \(the last one\) or 0 to 2"):
        fine_tune(model, Head(2, "positions"), settings("probe", layer=3), examples(4, 0), seed=0)
    with pytest.raises(LexigraftError, match="fine-tuning diverged"):
        fine_tune(model, Head(2, "positions"), settings("full", learning_rate=1e30), examples(40, 0), seed=0)
    for wrong in ({"epochs": 0}, {"learning_rate": 0.0}, {"penalty": 0.0}, {"layer": -2}):
        with pytest.raises(ValueError, match="must be"):
            settings("full", **wrong)


def test_a_probe_reads_the_layer_that_it_is_told_to() -> None:
    """The label is the token before: the embeddings do not hold it, the states after the layers do."""
    model = fixture("gpt2-tied")[0]
    some = [e._replace(labels=np.roll(e.labels, 1), positions=e.positions) for e in examples(80, 0)]
    some = [e._replace(positions=e.positions[1:], labels=e.labels[1:]) for e in some]
    at = {
        layer: fine_tune(model, Head(2, "positions"), settings("probe", layer=layer, penalty=0.1), some, 0)
        for layer in (0, -1)
    }
    assert accuracy(at[0].logits(some), some) < 0.65
    assert accuracy(at[-1].logits(some), some) > 0.8
