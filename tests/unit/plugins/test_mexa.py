"""MEXA: a case by hand, the double loop of the formula, chance, a model with a known answer, and its data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from fixtures.twin_words import twins
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.evaluator import EvaluationContext, read_data
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.plugins.evaluators.mexa import Mexa, MexaData, mutually_nearest
from lexigraft.testing.sample_text import SOURCE_TEXT
from lexigraft.testing.tiny_models import fixture


def data(source: list[str], target: list[str]) -> MexaData:
    return MexaData(hash="", size=len(source), source=tuple(source), target=tuple(target))


def loaded(name: str) -> tuple[PreTrainedModel, Vocabulary]:
    model, tokenizer, _ = fixture(name)
    return model, Vocabulary.of(tokenizer)


def test_a_case_by_hand() -> None:
    # Unit vectors at angles: the cosine falls as the angle between two of them grows. Target: 10, 65 and 95 degrees.
    def at(*degrees: float) -> torch.Tensor:
        angles = torch.deg2rad(torch.tensor(degrees, dtype=torch.float64))
        return torch.stack([angles.cos(), angles.sin()], 1)[None]

    target = at(10, 65, 95)
    # Source 0: 10 65 95; 40: 30 25 55; 100: 90 35 5 degrees away: each own angle is the smallest of row and column.
    assert mutually_nearest(at(0, 40, 100), target).tolist() == [[True, True, True]]
    # Source 37: 27 28 58: another sentence of its row is nearer than its own.
    assert mutually_nearest(at(0, 37, 100), target).tolist() == [[True, False, True]]
    # Source 89: 79 24 6: its own is the smallest, but its 24 is smaller than the 25 of source 40 in that column.
    assert mutually_nearest(at(0, 40, 89), target).tolist() == [[True, False, True]]
    # Lengths do not matter, and equal is not greater: of two sentences with one vector neither counts.
    assert mutually_nearest(3 * at(0, 40, 100), target / 7).all()
    assert mutually_nearest(at(0, 0, 90), at(0, 0, 90)).tolist() == [[False, False, True]]


def test_it_is_the_double_loop_of_the_formula() -> None:
    generator = torch.Generator().manual_seed(3)
    source = torch.randn(4, 25, 6, generator=generator)
    target = source + 0.7 * torch.randn(4, 25, 6, generator=generator)
    found = mutually_nearest(source, target)
    for layer in range(4):
        count = 0
        x, y = source[layer].double().numpy(), target[layer].double().numpy()

        def cosine(i: int, j: int, x: np.ndarray = x, y: np.ndarray = y) -> float:
            return float(x[i] @ y[j] / np.linalg.norm(x[i]) / np.linalg.norm(y[j]))

        for i in range(25):
            others = [max(cosine(i, j), cosine(j, i)) for j in range(25) if j != i]
            count += cosine(i, i) > max(others)
        assert 0 < count < 25
        assert found[layer].sum() == count


def test_chance_is_one_in_2n_minus_1() -> None:
    generator = torch.Generator().manual_seed(0)
    n, layers = 10, 2000
    found = mutually_nearest(*(torch.randn(layers, n, 8, generator=generator) for _ in range(2))).double().mean()
    # One standard error of the mean over 20,000 outcomes is 0.0016.
    assert found.item() == pytest.approx(1 / (2 * n - 1), abs=0.006)


def test_translations_that_the_model_cannot_tell_apart_count_at_every_layer() -> None:
    model, vocabulary, source, target = twins(16, same=12)
    scores = Mexa().evaluate(model, vocabulary, data(source, target), EvaluationContext())
    outcomes = scores.items["mexa"].numerators
    assert outcomes[:12].tolist() == [1.0] * 12
    assert outcomes[12:].max() < 1
    layers = [scores.figures[f"mexa_layer_{n}"] for n in range(3)]
    assert "mexa_layer_3" not in scores.figures
    assert scores.main == "mexa"
    assert scores.figures["mexa"] == pytest.approx(sum(layers) / 3)
    assert scores.figures["mexa"] == pytest.approx(outcomes.mean())
    assert scores.figures["mexa_max"] == max(layers)
    # Of 16 pairs a sentence is nearest by luck where it beats 15 others of its own and 15 of the other side.
    assert scores.figures["chance"] == 1 / 31


@pytest.mark.parametrize("name", ["roberta-tied-bias", "llama-untied", "t5-tied"])
def test_a_text_beside_itself_is_1_and_equal_sentences_are_0(name: str) -> None:
    model, vocabulary = loaded(name)
    lines = SOURCE_TEXT.splitlines()
    scores = Mexa().evaluate(model, vocabulary, data(lines, lines), EvaluationContext())
    assert scores.figures["mexa"] == scores.figures["mexa_max"] == 1
    again = Mexa().evaluate(model, vocabulary, data(lines, lines), EvaluationContext())
    assert again.figures == scores.figures
    same = [lines[0]] * 5
    assert Mexa().evaluate(model, vocabulary, data(same, same), EvaluationContext()).figures["mexa_max"] == 0


def test_text_without_tokens_is_scored_with_a_warning() -> None:
    model, vocabulary = loaded("bert-tied-bias")
    lines, foreign = SOURCE_TEXT.splitlines()[:3], ["数学 数学", "言語", "水 火"]
    scores = Mexa().evaluate(model, vocabulary, data(lines, foreign), EvaluationContext())
    assert scores.figures["unknown_share"] > 0.9
    assert any("no token for" in note for note in scores.notes)


def test_it_takes_the_first_sentences_that_occur_once(tmp_path: Path) -> None:
    source, target = tmp_path / "en.txt", tmp_path / "qu.txt"
    source.write_text("a\nb\n\na\nc\nd\ne\n")
    target.write_text("A\nB\nX\nC\nB\nD\nE\n")
    read = read_data(Mexa(sentences=3), {"source": [str(source)], "target": [str(target)]})
    assert isinstance(read, MexaData)
    assert (read.source, read.target, read.size) == (("a", "b", "d"), ("A", "B", "D"), 3)
    assert set(read.unseen) == set("abdABD")
    assert [note.split()[0] for note in read.notes] == ["1", "2"]
    fewer = read_data(Mexa(), {"source": [str(source)], "target": [str(target)]})
    assert fewer.notes[-1].startswith("4 sentences, not 100")
    assert fewer.hash != read.hash
    source.write_text("a\na\n")
    target.write_text("A\nB\n")
    with pytest.raises(LexigraftError, match="too few sentence pairs: 1"):
        Mexa().read({"source": [str(source)], "target": [str(target)]})
    with pytest.raises(ValueError, match="at least 2"):
        Mexa(sentences=1)
