"""mteb on models in memory: against vectors by hand, known answers, chance, and every bad input."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from transformers import PreTrainedModel

from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.evaluator import EvaluationContext, read_data
from lexigraft.core.evaluation.scores import Scores
from lexigraft.core.registry import make
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.plugins.evaluators._mteb_tasks import figures_of
from lexigraft.testing.sample_text import SOURCE_TEXT
from lexigraft.testing.tiny_models import fixture

INSTALLED = pytest.mark.skipif(find_spec("mteb") is None, reason="NOT TESTED: mteb is not installed")
LINES = [line for line in SOURCE_TEXT.splitlines() if line.strip()]
KINDS = ["roberta-tied-bias", "bert-tied-bias", "llama-untied", "gpt2-tied", "mt5-untied"]


def loaded(name: str) -> tuple[PreTrainedModel, Vocabulary]:
    model, tokenizer, _ = fixture(name)
    return model, Vocabulary.of(tokenizer)


def write(path: Path, items: Sequence[Any]) -> str:
    path.write_text("\n".join(x if isinstance(x, str) else json.dumps(x) for x in items), encoding="utf-8")
    return str(path)


def measured(
    model: PreTrainedModel, vocabulary: Vocabulary, files: dict[str, list[str]], seed: int = 0, **options: Any
) -> Scores:
    evaluator = make("evaluator", "mteb", options)
    return evaluator.evaluate(model, vocabulary, read_data(evaluator, files), EvaluationContext(seed))


def vector(model: PreTrainedModel, vocabulary: Vocabulary, text: str, layer: int, pooling: str) -> np.ndarray:
    """The vector of one sentence alone, from the model's own output."""
    ids = torch.tensor([vocabulary.tokenizer.backend_tokenizer.encode(text).ids])
    with torch.no_grad():
        if model.config.is_encoder_decoder:
            states = model.get_encoder()(input_ids=ids, output_hidden_states=True).hidden_states
        else:
            states = model(input_ids=ids, output_hidden_states=True).hidden_states
    of_layer = states[layer][0].numpy()
    return {"mean": of_layer.mean(0), "first": of_layer[0], "last": of_layer[-1]}[pooling]


@INSTALLED
@pytest.mark.parametrize(
    ("name", "layer", "pooling"),
    [
        *((name, *how) for name in KINDS for how in ((-1, "mean"), (1, "last"))),
        ("bert-tied-bias", -1, "first"),
        ("llama-untied", 0, "mean"),
    ],
)
def test_similarities_are_cosines_of_the_models_own_states(name: str, layer: int, pooling: str, tmp_path: Path) -> None:
    model, vocabulary = loaded(name)
    model.train()
    draw = random.Random(1)
    pairs = [
        {"sentence1": LINES[i], "sentence2": LINES[j], "score": draw.uniform(0, 5)} for j in range(5) for i in range(j)
    ]
    options = {"task": "local_sts", "layer": layer, "pooling": pooling}
    found = measured(model, vocabulary, {"test": [write(tmp_path / "sts.jsonl", pairs)]}, **options)
    assert model.training
    model.eval()
    cosines = []
    for pair in pairs:
        one, two = (vector(model, vocabulary, pair[side], layer, pooling) for side in ("sentence1", "sentence2"))
        cosines.append(float(one @ two / np.linalg.norm(one) / np.linalg.norm(two)))
    expected = spearmanr([pair["score"] for pair in pairs], cosines)[0]
    assert next(iter(found.figures)) == "cosine_spearman"
    assert found.figures["cosine_spearman"] == pytest.approx(expected)
    assert found.figures["spearman"] == pytest.approx(expected)


@INSTALLED
def test_a_sentence_finds_itself_and_a_model_without_knowledge_does_not_find_a_translation(tmp_path: Path) -> None:
    model, vocabulary = loaded("roberta-tied-bias")
    lines = list(dict.fromkeys(LINES))[:20]
    same = [{"sentence1": line, "sentence2": line} for line in lines]
    assert measured(model, vocabulary, {"test": [write(tmp_path / "same.jsonl", same)]}, task="local_bitext").figures[
        "f1"
    ] == pytest.approx(1)
    other = [{"sentence1": line, "sentence2": lines[(n + 7) % 20]} for n, line in enumerate(lines)]
    found = measured(model, vocabulary, {"test": [write(tmp_path / "other.jsonl", other)]}, task="local_bitext")
    # Every sentence finds itself, which is the translation of another one.
    assert found.figures["f1"] == 0


def labeled(seed: int, count: int, told: bool) -> list[dict[str, Any]]:
    """Texts with one of two labels, told by their words or drawn."""
    draw = random.Random(seed)
    words = {"water": "river stone water small", "house": "green tree under light"}
    items = []
    for n in range(count):
        label = draw.choice(list(words))
        pool = (words[label] if told else " ".join(words.values())).split()
        items.append({"text": f"{' '.join(draw.choices(pool, k=4))} {seed}{n}", "label": label})
    return items


@INSTALLED
def test_classes_told_by_words_are_found_and_drawn_ones_are_guessed_as_the_seed_says(tmp_path: Path) -> None:
    model, vocabulary = loaded("bert-tied-bias")
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.random.get_rng_state()  # noqa: NPY002
    figures = {}
    for told in (True, False):
        files = {split: [write(tmp_path / f"{split}{told}.jsonl", labeled(seed, 40, told))]
                 for seed, split in enumerate(("train", "test"))}  # fmt: skip
        evaluator = make("evaluator", "mteb", {"task": "local_classification", "layer": 0})
        data = read_data(evaluator, files)
        assert data.size == 40
        assert set(data.unseen) >= {item["text"] for item in labeled(1, 40, told)}
        for seed in (0,) if told else (0, 1, 0):
            once = evaluator.evaluate(model, vocabulary, data, EvaluationContext(seed))
            again = figures.setdefault((told, seed), once.figures)
            assert once.figures == again
    assert next(iter(figures[True, 0])) == "accuracy"
    assert figures[True, 0]["accuracy"] > 0.95
    assert abs(figures[False, 0]["accuracy"] - 0.5) < 0.2
    assert figures[False, 0] != figures[False, 1]
    assert states[0] == random.getstate()
    assert states[1] == np.random.get_state()[1].tolist()  # noqa: NPY002
    assert torch.equal(states[2], torch.random.get_rng_state())


@INSTALLED
def test_the_hash_is_of_the_items_not_of_the_path_and_long_sentences_are_told(tmp_path: Path) -> None:
    model, vocabulary = loaded("llama-untied")
    pairs = [{"sentence1": " ".join(LINES[:9]), "sentence2": f"{n} {LINES[n]}", "score": n} for n in range(4)]
    paths = [write(tmp_path / name, pairs) for name in ("a.jsonl", "b.jsonl")]
    evaluator = make("evaluator", "mteb", {"task": "local_sts"})
    first, second = (read_data(evaluator, {"test": [path]}) for path in paths)
    other = read_data(evaluator, {"test": [write(tmp_path / "c.jsonl", pairs[:3])]})
    assert first.hash == second.hash != other.hash
    [note] = evaluator.evaluate(model, vocabulary, first, EvaluationContext()).notes
    assert note.startswith("4 sentences are longer")


@INSTALLED
@pytest.mark.parametrize(
    ("task", "files", "message"),
    [
        ("", {}, "no task of mteb is named"),
        ("local_stz", {}, "unknown task of mteb: local_stz"),
        ("Banking77Clasification", {}, r"unknown task of mteb: Banking77Clasification\. Did you mean 'Banking77"),
        ("Banking77Classification", {"test": []}, r"only local tasks read files"),
        ("local_sts", {}, r"local_sts needs more files: test\. .*sentence1, sentence2, score"),
        ("local_classification", {"test": [{"text": "a", "label": "x"}]}, "needs more files: train"),
        ("local_sts", {"test": []}, "no items for local_sts: test"),
        ("local_sts", {"test": ["{"]}, r"not JSON: .*test.jsonl, line 1"),
        ("local_sts", {"test": [{"sentence1": "a", "score": "b"}]}, r"line 1\. sentence2, score"),
        (
            "local_classification",
            {"train": [{"text": "a", "label": "x"}], "test": [{"text": "b", "label": "y"}]},
            "labels of the test items never occur in training: y",
        ),
        (
            "local_classification",
            {"train": [{"text": "a", "label": "x"}], "test": [{"text": "a", "label": "x"}]},
            "test items are training items too: 1 of 1",
        ),
    ],
)
def test_bad_input_is_one_error(task: str, files: dict[str, list[Any]], message: str, tmp_path: Path) -> None:
    given = {name: [write(tmp_path / f"{name}.jsonl", items)] for name, items in files.items()}
    with pytest.raises(LexigraftError, match=message):
        read_data(make("evaluator", "mteb", {"task": task}), given)


@INSTALLED
def test_data_that_cannot_be_fetched_and_layers_that_are_not_there_are_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, vocabulary = loaded("llama-untied")
    pairs = [{"sentence1": "a", "sentence2": line, "score": n} for n, line in enumerate(LINES[:3])]
    with pytest.raises(LexigraftError, match=r"no such layer: 3\. Layers are 0 .* to 2"):
        measured(model, vocabulary, {"test": [write(tmp_path / "t.jsonl", pairs)]}, task="local_sts", layer=3)
    monkeypatch.setattr("mteb.abstasks.abstask.load_dataset", lambda *_, **__: (_ for _ in ()).throw(OSError("no hub")))
    with pytest.raises(LexigraftError, match=r"cannot be read: Banking77Classification\. OSError: no hub"):
        read_data(make("evaluator", "mteb", {"task": "Banking77Classification"}), {})


def test_figures_are_means_over_subsets_and_splits_with_the_main_score_first() -> None:
    def entry(subset: str, f1: float, recall: float, curve: Any) -> dict[str, Any]:
        return {"hf_subset": subset, "languages": [], "recall": recall, "f1": f1, "main_score": f1, "curve": curve}

    scores = {
        "dev": [entry("quy-spa", 0.2, 0.5, None)],
        "test": [entry("quy-spa", 0.4, 0.7, 1.0), entry("grn (x)", 0.9, 0.3, 2)],
    }
    # 0.2 + 0.4 + 0.9 = 1.5 over three; 0.5 + 0.7 + 0.3 = 1.5 too; what is no number somewhere is left out.
    found = figures_of(scores, "f1")
    assert list(found) == ["f1", "recall", "f1_dev_quy-spa", "f1_test_quy-spa", "f1_test_grn__x_"]
    assert list(found.values()) == pytest.approx([0.5, 0.5, 0.2, 0.4, 0.9])
    assert figures_of({"test": scores["dev"]}, "f1") == {"f1": 0.2, "recall": 0.5}


def test_bad_options_are_refused() -> None:
    for field in ("max_length", "batch_size"):
        with pytest.raises(LexigraftError, match=f"{field} must be at least"):
            make("evaluator", "mteb", {field: 0})


@pytest.mark.skipif(find_spec("mteb") is not None, reason="mteb is installed")
def test_without_the_package_the_extra_is_named() -> None:
    with pytest.raises(LexigraftError, match=r"mteb\. pip install 'lexigraft\[eval\]'"):
        read_data(make("evaluator", "mteb", {"task": "local_sts"}), {})
