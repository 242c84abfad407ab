"""Fine-tuning on pairs: the pairs are learned by a copy, and the model itself is left as it was."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from peft import LoraConfig, inject_adapter_in_model

from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.generation import Generation, generate
from lexigraft.core.evaluation.pair_training import Pair, PairTraining, _loss, reading, train_on_pairs, writing
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.tiny_models import fixture

SOURCE, TARGET = ["The river runs", "the old house"], ["stones", "wool and maize"]


@pytest.mark.parametrize(("name", "epochs"), [("gpt2-tied", 40), ("mt5-untied", 50)])
def test_the_pairs_are_learned_by_a_copy(name: str, epochs: int, one_thread: None) -> None:
    model, tokenizer, _ = fixture(name)
    vocabulary = Vocabulary.of(tokenizer)
    model.train()
    weights = {key: value.clone() for key, value in model.state_dict().items()}
    state = torch.random.get_rng_state()
    read, cut = reading(model, vocabulary, SOURCE, 50)
    pairs = [Pair(*pair) for pair in zip(read, writing(vocabulary, TARGET, 50), strict=True)]
    tuned, tokens = train_on_pairs(model, pairs, PairTraining(epochs, 5e-3, 2), seed=0)
    assert generate(tuned, vocabulary, read, Generation(20)) == TARGET
    assert cut == 0
    assert tokens == epochs * sum(len(ids) for pair in pairs for ids in pair)
    assert model.training
    assert torch.equal(state, torch.random.get_rng_state())
    for key, value in model.state_dict().items():
        assert torch.equal(value, weights[key]), key


def test_a_model_in_the_middle_of_its_own_training_is_left_as_it_was() -> None:
    model, tokenizer, _ = fixture("llama-tied")
    vocabulary = Vocabulary.of(tokenizer)
    inject_adapter_in_model(LoraConfig(r=2, target_modules=["q_proj"]), model)
    model.get_input_embeddings().weight.requires_grad_(False)
    before = {name: (p.detach().clone(), p.requires_grad, p.grad) for name, p in model.named_parameters()}
    read, _ = reading(model, vocabulary, SOURCE, 50)
    pairs = [Pair(*pair) for pair in zip(read, writing(vocabulary, TARGET, 50), strict=True)]
    with torch.no_grad():  # measurements are taken without gradients
        one, _ = train_on_pairs(model, pairs, PairTraining(2, 1e-2, 1), seed=3)
        same, _ = train_on_pairs(model, pairs, PairTraining(2, 1e-2, 1), seed=3)
    for name, parameter in model.named_parameters():
        values, required, grad = before[name]
        assert torch.equal(parameter, values), name
        assert (parameter.requires_grad, parameter.grad) == (required, grad)
    changed = [name for name, p in one.named_parameters() if not torch.equal(p, before[name][0])]
    assert any("lora_B" in name for name in changed)
    assert one.get_input_embeddings().weight is one.get_output_embeddings().weight
    for ours, theirs in zip(one.parameters(), same.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_texts_are_framed_and_cut() -> None:
    model, tokenizer, _ = fixture("gpt2-tied")
    vocabulary = Vocabulary.of(tokenizer)
    ids = vocabulary.encode(["The river runs"])[0]
    bos, eos = vocabulary.specials["bos"], vocabulary.specials["eos"]
    assert reading(model, vocabulary, ["The river runs"], 99)[0][0].tolist() == [bos, *ids, eos]
    cut, count = reading(model, vocabulary, ["The river runs", "The"], 2)
    assert (cut[0].tolist(), count) == ([bos, *ids[:2], eos], 1)
    assert writing(vocabulary, ["The river runs"], 99)[0].tolist() == [*ids, eos]
    assert writing(vocabulary, ["The river runs"], 2)[0].tolist() == ids[:2]


def test_the_loss_is_on_what_is_written_alone() -> None:
    model, tokenizer, _ = fixture("gpt2-tied")
    vocabulary = Vocabulary.of(tokenizer)
    read, _ = reading(model, vocabulary, SOURCE, 50)
    written = writing(vocabulary, TARGET, 50)
    with torch.no_grad():
        found = _loss(model, [Pair(*pair) for pair in zip(read, written, strict=True)]).item()
        nats = []
        for one, other in zip(read, written, strict=True):
            chances = model(input_ids=torch.tensor([[*one, *other]])).logits[0].log_softmax(-1)
            nats += [-chances[len(one) - 1 + n, i].item() for n, i in enumerate(other)]
    assert found == pytest.approx(np.mean(nats), abs=1e-4)


def test_what_cannot_be_trained_is_refused() -> None:
    for options in ({"epochs": -1}, {"batch_size": 0}, {"learning_rate": 0.0}, {"warmup_share": 2}):
        with pytest.raises(ValueError, match="must"):
            PairTraining(**options)
    model, tokenizer, _ = fixture("gpt2-tied")
    vocabulary = Vocabulary.of(tokenizer)
    with torch.no_grad():
        model.transformer.ln_f.weight.fill_(float("nan"))
    read, _ = reading(model, vocabulary, SOURCE, 50)
    with pytest.raises(LexigraftError, match="diverged"):
        train_on_pairs(model, [Pair(read[0], read[1])], PairTraining(1), seed=0)
