"""Mixtures in adaptation: exact tokens of each text, the same stream after an interruption, and clear refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from fixtures.adapting import adapted, load, weights
from lexigraft.api.further_texts import read_further_texts, texts_of
from lexigraft.core.config.adaptation import AdaptSettings
from lexigraft.core.config.base import validate
from lexigraft.core.config.transfer_recipe import TransferSettings
from lexigraft.core.data.corpus import Corpus
from lexigraft.core.errors import LexigraftError
from lexigraft.testing.sample_text import TARGET_TEXT

SOURCE = Corpus.of(TARGET_TEXT.splitlines())
STAGES = [{"target": 0.75, "source": 0.25}, {"target": 0.5, "source": 0.5}]
REPLAY: dict[str, Any] = {"texts": {"source": "other.txt"}, "mixture": {"stages": STAGES}}


def test_tokens_of_each_text_are_counted_and_the_other_text_changes_the_model() -> None:
    model, vocabulary = load("llama-untied")
    mixed = adapted(model, vocabulary, REPLAY | {"batch_tokens": 128}, texts={"source": SOURCE})
    # 4 steps of 4 rows of 32 tokens: 6 + 2 rows in the first half, 4 + 4 in the second.
    assert mixed.tokens_by_text == {"target": 10 * 32, "source": 6 * 32}
    assert mixed.tokens_trained == 16 * 32
    model, vocabulary = load("llama-untied")
    alone = adapted(model, vocabulary, {"batch_tokens": 128})
    assert alone.tokens_by_text == {}
    assert alone.losses != mixed.losses


def test_the_whole_weight_on_the_training_text_is_no_mixture() -> None:
    runs = []
    for options in ({}, REPLAY | {"mixture": {"stages": [{"target": 1.0, "source": 0.0}]}}):
        model, vocabulary = load("llama-untied")
        runs.append(adapted(model, vocabulary, options, texts={"source": SOURCE}))
    one, other = (weights(run.model) for run in runs)
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert runs[1].tokens_by_text == {"target": 4 * 64, "source": 0}


def test_an_interrupted_run_goes_on_in_the_same_stream(tmp_path: Path) -> None:
    options = REPLAY | {"checkpoint_every": 1}

    def stop(step: int, _: PreTrainedModel) -> None:
        raise KeyboardInterrupt

    model, vocabulary = load("llama-untied")
    whole = adapted(model, vocabulary, options, texts={"source": SOURCE})
    model, vocabulary = load("llama-untied")
    with pytest.raises(KeyboardInterrupt):
        adapted(model, vocabulary, options, texts={"source": SOURCE}, work=tmp_path, on_step=stop, eval_steps=[3])
    model, vocabulary = load("llama-untied")
    moved = options | {"texts": {"source": "moved.txt"}}
    again = adapted(model, vocabulary, moved, texts={"source": SOURCE}, work=tmp_path)
    assert again.losses == whole.losses
    assert again.tokens_by_text == whole.tokens_by_text
    expected, got = weights(whole.model), weights(again.model)
    assert all(torch.equal(expected[name], got[name]) for name in expected)


def test_temperature_mixes_every_text_by_its_characters() -> None:
    model, vocabulary = load("llama-untied")
    hot = {"texts": {"source": "other.txt"}, "mixture": {"temperature": 1e9}}
    assert adapted(model, vocabulary, hot, texts={"source": SOURCE}).tokens_by_text == {"target": 128, "source": 128}


def test_held_out_lines_are_in_no_further_text(tmp_path: Path) -> None:
    file = tmp_path / "other.txt"
    file.write_text("one\ntwo\nthree\n")
    settings = AdaptSettings(**REPLAY | {"texts": {"source": [str(file)]}})
    further = read_further_texts([settings, settings], [Corpus.of(["two"])])
    assert list(texts_of(settings, further)["source"].lines) == ["one", "three"]
    file.write_text("\n \n")
    with pytest.raises(LexigraftError, match=r"corpus is empty: .*other\.txt"):
        read_further_texts([settings], [])


def test_a_text_that_fills_no_row_is_named() -> None:
    model, vocabulary = load("llama-untied")
    with pytest.raises(LexigraftError, match="text 'source': the corpus is too small"):
        adapted(model, vocabulary, REPLAY, texts={"source": Corpus.of(["one"])})


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"mixture": {"stages": [{"target": 0.9, "source": 0.2}]}}, "the weights of stage 1 sum to 1.1, not to 1"),
        ({"mixture": {"stages": [{"target": 1.0}, {}]}}, "the weights of stage 2 sum to 0, not to 1"),
        ({"mixture": {"stages": [{"target": 1.5, "source": -0.5}]}}, "mixture.stages.0"),
        ({"mixture": {"stages": [{"target": 0.5, "sorce": 0.5}]}}, "no text is called 'sorce'"),
        ({"mixture": {"stages": STAGES, "temperature": 2}}, "either stages or a temperature"),
        ({"mixture": {}}, "either stages or a temperature"),
        ({"mixture": {"temperature": 0.5}}, "mixture.temperature"),
        ({"texts": {"target": "a.txt"}}, "'target' is the training text"),
        ({"texts": {"a/b": "a.txt"}}, "texts.a/b"),
    ],
)
def test_mixtures_that_cannot_be_are_refused(changed: dict[str, Any], expected: str) -> None:
    with pytest.raises(LexigraftError, match=expected):
        validate(AdaptSettings, REPLAY | changed, "adapt")


def test_a_transfer_study_mixes_nothing() -> None:
    languages = {"donors": {"es": {"train": "a"}}, "targets": {"qu": {"train": "b", "heldout": "c"}}}
    with pytest.raises(LexigraftError, match="mixtures and shielded bodies belong to a comparison"):
        validate(TransferSettings, {"source": "model", **languages, "adaptation": REPLAY}, "recipe")
