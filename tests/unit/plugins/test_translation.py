"""Translation: a made model whose translations are scored by hand, pairs that are learned, and what is refused."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
import torch

from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.evaluator import EvaluationContext, read_data, refuse_other_kind
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.plugins.evaluators.translation import Translation
from lexigraft.testing.tiny_models import fixture

with_sacrebleu = pytest.mark.skipif(
    importlib.util.find_spec("sacrebleu") is None,
    reason="NOT TESTED: the package sacrebleu is not installed; pip install sacrebleu",
)
SOURCE = ["The river runs", "the old house"]
TARGET = ["stones", "wool and maize"]


def written(folder: Path, **sides: list[str]) -> dict[str, list[str]]:
    for name, lines in sides.items():
        (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return {name: [str(folder / name)] for name in sides}


@with_sacrebleu
def test_a_made_model_gets_the_figures_worked_out_by_hand(tmp_path: Path) -> None:
    """The model writes "zz" to everything; the references are "zzz" and "zz".

    First sentence, chrF++: z: 2 of 2 found, 2 of 3 wanted; zz: 1 of 1, 1 of 2; longer ones and pairs of words: none is
    written, and those orders do not count, except zzz, wanted once; words: 0 of 1 and 0 of 1. sacreBLEU averages over
    the orders that both have: z, zz, word: precision (1 + 1 + 0) / 3 = 2/3, recall (2/3 + 1/2 + 0) / 3 = 7/18;
    F with beta 2: 5 · 2/3 · 7/18 / (4 · 2/3 + 7/18) = 0.4242. Second sentence: 100.
    """
    model, tokenizer, _ = fixture("gpt2-tied")
    vocabulary = Vocabulary.of(tokenizer)
    logits = torch.full((model.config.vocab_size,), -30.0)
    logits[vocabulary.id_of("z")] = 0.0
    with torch.no_grad():
        model.transformer.ln_f.weight.zero_()
        model.transformer.ln_f.bias.zero_()
        model.transformer.ln_f.bias[0] = 1.0
        model.lm_head.weight[:, 0] = logits
    evaluator = Translation(max_length=2)
    data = read_data(evaluator, written(tmp_path, test_source=SOURCE, test_target=["zzz", "zz"]))
    found = evaluator.evaluate(model, vocabulary, data, EvaluationContext())
    by_sentence = found.items["sentence_chrfpp"]
    assert by_sentence.numerators.tolist() == pytest.approx([42.424242, 100.0], abs=1e-4)
    assert found.figures["sentence_chrfpp"] == pytest.approx((42.424242 + 100) / 2, abs=1e-4)
    # In the whole test z is found 4 times of 4 written and 5 wanted, zz 2 of 2 and 3, the word 1 of 2 and 2 wanted.
    precision, recall = (1 + 1 + 1 / 2) / 3, (4 / 5 + 2 / 3 + 1 / 2) / 3
    assert found.figures["chrfpp"] == pytest.approx(100 * 5 * precision * recall / (4 * precision + recall), abs=1e-4)
    assert found.figures["tokens_trained"] == 0
    assert found.main == "chrfpp"
    assert found.notes[0].startswith("chrfpp nrefs:1|case:mixed|eff:yes|nc:6|nw:2")
    assert "tok:13a" in found.notes[1]


@with_sacrebleu
def test_pairs_are_learned_and_those_of_the_test_are_left_out(tmp_path: Path, one_thread: None) -> None:
    model, tokenizer, _ = fixture("gpt2-tied")
    vocabulary = Vocabulary.of(tokenizer)
    evaluator = Translation(epochs=40, learning_rate=5e-3, batch_size=2)
    # Nearly what is trained on: the very same sentences would be left out, as the last pair is.
    files = written(
        tmp_path,
        test_source=["the river run"],
        test_target=["stones."],
        train_source=["the river runs", "the old house", "the river run"],
        train_target=["stones", "wool", "people"],
    )
    data = read_data(evaluator, files)
    assert data.notes == ("1 training pairs are empty, repeated, or tested on, and left out",)
    assert data.unseen == ("the river run", "stones.")
    found = [evaluator.evaluate(model, vocabulary, data, EvaluationContext(seed)).figures for seed in (0, 0)]
    assert found[0] == found[1]
    assert found[0]["chrfpp"] > 50
    tokens = sum(map(len, vocabulary.encode(["the river runs", "stones", "the old house", "wool"])))
    assert found[0]["tokens_trained"] == 40 * (tokens + 2 * 3)  # with bos and two ends for each pair


@with_sacrebleu
def test_sentences_longer_than_the_context_are_cut_and_counted(tmp_path: Path) -> None:
    """Of 96 positions bos and two ends take 3, and both sides share the others: 46 tokens each."""
    model, tokenizer, _ = fixture("gpt2-tied")
    long = " ".join(SOURCE * 60)
    evaluator = Translation(epochs=1, max_length=5000)
    files = written(
        tmp_path, test_source=[long], test_target=[long], train_source=[f"a {long}"], train_target=[f"b {long}"]
    )
    found = evaluator.evaluate(model, Vocabulary.of(tokenizer), read_data(evaluator, files), EvaluationContext())
    assert found.notes[2].startswith("1 sentences to translate were cut at 46 tokens")


@with_sacrebleu
def test_files_that_do_not_fit_are_refused_before_a_model_loads(tmp_path: Path) -> None:
    both = written(tmp_path, test_source=SOURCE, test_target=TARGET)
    with pytest.raises(LexigraftError, match="one side only"):
        read_data(Translation(), {**both, "train_source": both["test_source"]})
    short = written(tmp_path, train_source=SOURCE, train_target=TARGET[:1])
    with pytest.raises(LexigraftError, match="different length"):
        read_data(Translation(), {**both, **short})
    with pytest.raises(LexigraftError, match="no usable pair"):
        read_data(Translation(), {**both, "train_source": both["test_source"], "train_target": both["test_target"]})
    with pytest.raises(LexigraftError, match="no such tokenizer"):
        read_data(Translation(bleu_tokenizer="moses"), both)
    assert read_data(Translation(test_pairs=1), both).size == 1


def test_without_sacrebleu_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics", None)
    with pytest.raises(LexigraftError, match=r"pip install 'lexigraft\[eval\]'"):
        read_data(Translation(), written(tmp_path, test_source=SOURCE, test_target=TARGET))


def test_wrong_options_and_models_are_refused() -> None:
    for options in ({"epochs": -1}, {"beams": 0}, {"max_length": 0}, {"train_pairs": 0}):
        with pytest.raises(ValueError, match="must"):
            Translation(**options)
    with pytest.raises(LexigraftError, match="does not measure masked models"):
        refuse_other_kind(Translation(), "masked")
