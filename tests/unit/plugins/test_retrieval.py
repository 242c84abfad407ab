"""Retrieval: known answers, both directions, several translations, chance, layers and poolings, and bad data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from fixtures.twin_words import twins
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.evaluator import EvaluationContext, read_data
from lexigraft.core.evaluation.scores import Scores
from lexigraft.core.linalg.csls import Similarity
from lexigraft.core.registry import make
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.plugins.evaluators.retrieval import Retrieval, RetrievalData
from lexigraft.testing.sample_text import SOURCE_TEXT
from lexigraft.testing.tiny_models import fixture


def read(folder: Path, pairs: list[tuple[str, str]], evaluator: Retrieval | None = None) -> RetrievalData:
    path = folder / "pairs.tsv"
    path.write_text("".join(f"{left}\t{right}\n" for left, right in pairs), encoding="utf-8")
    found = read_data(evaluator or Retrieval(), {"source": [str(path)]})
    assert isinstance(found, RetrievalData)
    return found


def test_a_case_by_hand_in_both_directions(tmp_path: Path) -> None:
    # Sources 0, 30, 50 degrees; targets 5, 20, 80.   To each source:  0 -> 5 (right), 30 -> 20 (right), 50 -> 80 or 20:
    # both 30 degrees off for 50, so 51: 80 (29) is right. To each target: 5 -> 0, 20 -> 30, 80 -> 51: all right.
    # With 49 the third source is nearer to 20 (29) than to 80 (31): wrong; target 80 still finds 49, the highest.
    data = read(tmp_path, [("a", "A"), ("b", "B"), ("c", "C")])

    def at(*degrees: float) -> torch.Tensor:
        angles = torch.deg2rad(torch.tensor(degrees))
        return torch.stack([angles.cos(), angles.sin()], 1)

    target, retrieval = at(5, 20, 80), Retrieval()
    assert retrieval._hits(at(0, 30, 51), target, data.pairs).tolist() == [1, 1, 1]
    assert retrieval._hits(at(0, 30, 49), target, data.pairs).tolist() == [1, 1, 0]
    assert retrieval._hits(target, at(0, 30, 49), data.pairs[:, ::-1]).tolist() == [1, 1, 1]


@pytest.mark.parametrize("similarity", ["cosine", "csls", "margin"])
def test_translations_that_the_model_cannot_tell_apart_are_found(tmp_path: Path, similarity: Similarity) -> None:
    model, vocabulary, source, target = twins(16, same=12)
    evaluator = Retrieval(similarity=similarity, layer=0, neighbors=3)
    data = read(tmp_path, list(zip(source, target, strict=True)), evaluator)
    scores = evaluator.evaluate(model, vocabulary, data, EvaluationContext())
    accuracy, there, back = (scores.items[f"accuracy{d}"].numerators for d in
                             ("", "_source_to_target", "_target_to_source"))  # fmt: skip
    assert there[:12].tolist() == back[:12].tolist() == [1] * 12
    assert accuracy[12:].mean() < 1
    np.testing.assert_array_equal(accuracy, (there + back) / 2)
    assert scores.main == "accuracy"
    assert scores.figures["accuracy"] == accuracy.mean()
    assert scores.figures["accuracy_source_to_target"] == there.mean()
    assert scores.figures["unknown_share_source"] == 0


@pytest.mark.parametrize("pooling", ["mean", "weighted_mean", "last_token", "eos"])
@pytest.mark.parametrize("name", ["roberta-tied-bias", "llama-untied", "t5-tied"])
def test_a_text_beside_itself_is_found(tmp_path: Path, name: str, pooling: str) -> None:
    model, tokenizer, _ = fixture(name)
    vocabulary = Vocabulary.of(tokenizer)
    lines = [
        line.removesuffix(".") + f" {'abcdefghijklmnopqrst'[n]}" for n, line in enumerate(SOURCE_TEXT.splitlines())
    ]
    evaluator = make("evaluator", "retrieval", {"pooling": pooling, "layer": "-1"})
    data = read(tmp_path, [(line, line) for line in lines])
    scores: Scores = evaluator.evaluate(model, vocabulary, data, EvaluationContext())
    assert scores.figures["accuracy"] == 1
    assert evaluator.evaluate(model, vocabulary, data, EvaluationContext()).figures == scores.figures


def test_chance_is_one_over_the_candidates(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    n = 20
    data = read(tmp_path, [(f"s{i}", f"t{i}") for i in range(n)])
    hits = [Retrieval()._hits(*(torch.randn(n, 8, generator=generator) for _ in range(2)), data.pairs).mean()
            for _ in range(300)]  # fmt: skip
    # One standard error over 6,000 outcomes is 0.003.
    assert np.mean(hits) == pytest.approx(1 / n, abs=0.01)


def test_each_of_several_translations_is_right_and_repetitions_are_counted(tmp_path: Path) -> None:
    pairs = [("go", "ve"), ("go", "vaya"), ("run", "corre"), ("go", "ve"), ("leave", "ve"), ("", "x")]
    data = read(tmp_path, pairs)
    assert (data.source, data.target) == (("go", "run", "leave"), ("ve", "vaya", "corre"))
    assert data.pairs.tolist() == [[0, 0], [0, 1], [1, 2], [2, 0]]
    assert data.size == 4
    assert data.notes == (
        "1 pairs with an empty side left out.",
        "1 pairs repeat an earlier one and are left out.",
        "2 sentences occur in several pairs: each of their translations is right.",
    )
    # "go" lies at "vaya", so both of its pairs are right; "leave" lies at "corre", so it is wrong.
    east, north, up = torch.eye(3)
    queries, candidates = torch.stack([north, up, up + 0.1 * east]), torch.stack([east, north, up])
    assert Retrieval()._hits(queries, candidates, data.pairs).tolist() == [1, 1, 1, 0]


def test_many_pairs_are_cut_evenly_with_a_note(tmp_path: Path) -> None:
    pairs = [(f"s{n}", f"t{n}") for n in range(10)]
    data = read(tmp_path, pairs, Retrieval(max_pairs=5))
    assert data.source == ("s0", "s2", "s4", "s6", "s8")
    assert data.notes == ("5 of 10 pairs are used, evenly chosen.",)
    assert data.hash != read(tmp_path, pairs).hash


def test_bad_settings_and_bad_data_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LexigraftError, match="too few different sentences: 1"):
        read(tmp_path, [("a", "A"), ("a", "B")])
    for options, named in (({"neighbors": 0}, "neighbors"), ({"max_pairs": 1}, "max_pairs"), ({"pooling": "x"}, "pool"),
                           ({"similarity": "l2"}, "similarity"), ({"layer": "top"}, "layer")):  # fmt: skip
        with pytest.raises(LexigraftError, match=named):
            make("evaluator", "retrieval", options)
