"""Generated text: the most likely tokens one by one, whatever the batch; seeded sampling; nothing left behind."""

from __future__ import annotations

import random
from functools import cache

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from lexigraft.core.evaluation.choices import Question, log_likelihoods
from lexigraft.core.evaluation.generation import Generation, generate
from lexigraft.core.evaluation.pair_training import reading
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.sample_text import SOURCE_TEXT
from lexigraft.testing.tiny_models import fixture

TEXTS = ["The", *SOURCE_TEXT.splitlines()[:2], "The river"]
KINDS = ["gpt2-tied", "llama-untied", "t5-tied"]


@cache
def _shared(name: str) -> tuple[PreTrainedModel, Vocabulary]:
    model, tokenizer, _ = fixture(name)
    return model, Vocabulary.of(tokenizer)


@pytest.mark.parametrize("name", KINDS)
def test_greedy_text_is_the_most_likely_token_at_each_step(name: str) -> None:
    model, vocabulary = _shared(name)
    inputs, _ = reading(model, vocabulary, TEXTS, 40)
    found = generate(model, vocabulary, inputs, Generation(5, batch_size=4))
    end = vocabulary.specials["eos"]
    for ids, text in zip(inputs, found, strict=True):
        written: list[int] = []
        while len(written) < 5 and end not in written:
            with torch.no_grad():
                if model.config.is_encoder_decoder:
                    shown = torch.tensor([[model.config.decoder_start_token_id, *written]])
                    logits = model(input_ids=torch.from_numpy(ids)[None], decoder_input_ids=shown).logits
                else:
                    logits = model(input_ids=torch.tensor([[*ids, *written]])).logits
            written.append(int(logits[0, -1].argmax()))
        assert text == vocabulary.tokenizer.decode(written, skip_special_tokens=True).strip()


def test_beams_find_text_that_is_more_likely() -> None:
    model, vocabulary = _shared("llama-untied")
    inputs = [np.array([vocabulary.specials["bos"], *vocabulary.encode(["people gather"])[0]])]
    greedy, beams = (generate(model, vocabulary, inputs, Generation(4, beams=n))[0] for n in (1, 8))
    assert greedy != beams
    [found] = log_likelihoods(model, vocabulary, [Question("people gather", (greedy, beams))])
    assert found[1] > found[0]


def test_samples_are_seeded_and_all_random_state_is_left_as_it_was() -> None:
    model, vocabulary = _shared("gpt2-tied")
    inputs, _ = reading(model, vocabulary, TEXTS, 40)
    model.train()
    before = torch.random.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    settings = Generation(6, temperature=1.0, top_p=0.95)
    found = [generate(model, vocabulary, inputs, settings, seed) for seed in (1, 1, 2)]
    assert model.training
    model.eval()
    after = torch.random.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]
    assert found[0] == found[1] != found[2]


def test_the_models_own_generation_settings_do_not_matter_and_stay() -> None:
    model, tokenizer, _ = fixture("gpt2-tied")
    vocabulary = Vocabulary.of(tokenizer)
    inputs, _ = reading(model, vocabulary, TEXTS[:1], 40)
    plain = generate(model, vocabulary, inputs, Generation(6))
    own = model.generation_config
    own.repetition_penalty, own.do_sample, own.max_length = 50.0, True, 9
    assert generate(model, vocabulary, inputs, Generation(6)) == plain
    assert model.generation_config is own


@pytest.mark.parametrize(
    "options", [{"beams": 0}, {"temperature": -1}, {"top_p": 0}, {"temperature": 1, "beams": 2}, {"max_new_tokens": 0}]
)
def test_settings_that_generate_nothing_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"must|one beam"):
        Generation(**options)
