"""Lexical contrast: its loss by hand, what it leaves out, and that translations become neighbors."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch.nn.functional import normalize

from fixtures.adapting import CORPUS, SETTINGS, load
from lexigraft.adapters.training.adapt import adapt
from lexigraft.core.config.recipe import AdaptSettings
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.hidden_states import pooled_states
from lexigraft.core.training.contrast import pair_contrast
from lexigraft.core.training.objective import read_files, refuse_unsuitable
from lexigraft.plugins.objectives.lexical_contrast import LexicalContrast

PAIRS = [("river", "bread"), ("house", "market"), ("school", "teacher"), ("moon", "light"), ("moon", "children")]


@pytest.fixture
def dictionary(tmp_path: Path) -> Path:
    path = tmp_path / "dictionary.tsv"
    path.write_text("".join(f"{left}\t{right}\n" for left, right in PAIRS), encoding="utf-8")
    return path


def test_contrast_by_hand() -> None:
    """Two pairs of equal unit vectors at right angles: each finds its partner at 1 and two others at 0."""
    east, north = [1.0, 0.0], [0.0, 1.0]
    vectors = torch.tensor([east, east, north, north])
    # -log(e^1 / (e^1 + e^0 + e^0)) = log(e + 2) - 1 = 0.5514; at temperature 1/2: log(e^2 + 2) - 2 = 0.2395
    assert pair_contrast(vectors, 1.0).item() == pytest.approx(math.log(math.e + 2) - 1, abs=1e-6)
    assert pair_contrast(vectors, 0.5).item() == pytest.approx(0.2395, abs=1e-4)
    # Without one of the two negatives: log(e + 1) - 1 = 0.3133. A partner is never left out.
    excluded = torch.zeros(4, 4, dtype=torch.bool)
    excluded[[0, 1, 2, 3], [2, 3, 0, 1]] = True
    excluded[0, 1] = True
    assert pair_contrast(vectors, 1.0, excluded).item() == pytest.approx(math.log(math.e + 1) - 1, abs=1e-6)


@pytest.mark.parametrize("name", ["roberta-tied-bias", "llama-untied"])
def test_contrast_is_that_of_the_words_own_states(name: str, dictionary: Path) -> None:
    model, vocabulary = load(name)
    objective = LexicalContrast(layer=1)
    ready = objective.prepared(objective.read({"dictionary": [str(dictionary)]}), vocabulary, model.config, 32)
    words = list(dict.fromkeys(word for pair in PAIRS for word in pair))
    drawn = [PAIRS[0], PAIRS[1], PAIRS[3]]
    numbers = torch.tensor([[words.index(word) for pair in drawn for word in pair]])
    ids = [vocabulary.pieces(word.encode(), True) for pair in drawn for word in pair]
    vectors = normalize(pooled_states(model, vocabulary, ids, layer=1).vectors[0], dim=1)
    assert ready.term(model, numbers).item() == pytest.approx(pair_contrast(vectors, 0.07).item(), abs=1e-4)


def test_other_translations_and_the_same_word_are_no_negatives(dictionary: Path) -> None:
    """Of (moon, light) and (moon, children) no word is a negative of any other but light of children."""
    model, vocabulary = load("roberta-tied-bias")
    objective = LexicalContrast(temperature=1.0)
    ready = objective.prepared(objective.read({"dictionary": [str(dictionary)]}), vocabulary, model.config, 32)
    words = list(dict.fromkeys(word for pair in PAIRS for word in pair))
    moon, light, children = (words.index(word) for word in ("moon", "light", "children"))
    ids = [vocabulary.pieces(word.encode(), True) for word in ("moon", "light", "children")]
    one, two, three = normalize(pooled_states(model, vocabulary, ids, layer=-1).vectors[0], dim=1)
    # moon sees its partner alone, twice: 0. light sees its partner and children; the other moon is no negative.
    of_light = math.log1p(math.exp(two @ three - two @ one))
    of_children = math.log1p(math.exp(two @ three - three @ one))
    found = ready.term(model, torch.tensor([[moon, light, moon, children]]))
    assert found.item() == pytest.approx((of_light + of_children) / 4, abs=1e-5)


def test_translations_become_neighbors(dictionary: Path) -> None:
    model, vocabulary = load("roberta-tied-bias")
    objective = LexicalContrast(weight=1.0, pairs_per_sequence=4)
    data = objective.read({"dictionary": [str(dictionary)]})
    ready = objective.prepared(data, vocabulary, model.config, 32)
    words = ready.material.pairs[:4].reshape(1, -1)
    before = ready.term(model, words).item()
    settings = AdaptSettings(**{**SETTINGS, "steps": 20, "body": "full", "learning_rate": 5e-3})
    result = adapt(model, vocabulary, CORPUS, settings, objective=objective, data=data)
    assert ready.term(result.model, words).item() < before / 4
    sides = [[vocabulary.pieces(word.encode(), True) for word in side] for side in zip(*PAIRS[:4], strict=True)]
    left, right = (normalize(pooled_states(model, vocabulary, side, layer=-1).vectors[0], dim=1) for side in sides)
    assert (left @ right.T).argmax(1).tolist() == [0, 1, 2, 3]


def test_bad_input_is_refused(tmp_path: Path) -> None:
    model, vocabulary = load("roberta-tied-bias")
    objective = LexicalContrast()
    with pytest.raises(LexigraftError, match="objective lexical_contrast needs more files: dictionary"):
        read_files(objective, {})
    with pytest.raises(LexigraftError, match=r"unknown file of lexical_contrast: dictionnary\. Did you mean"):
        read_files(objective, {"dictionnary": ["words.tsv"]})
    with pytest.raises(LexigraftError, match="dictionary not found"):
        read_files(objective, {"dictionary": [str(tmp_path / "none.tsv")]})
    path = tmp_path / "one.tsv"
    path.write_text("river\tbread\n")
    with pytest.raises(LexigraftError, match="two word pairs or more"):
        read_files(objective, {"dictionary": [str(path)]})
    path.write_text("river\triver\nbread\tbread\n")
    data = read_files(objective, {"dictionary": [str(path)]})
    with pytest.raises(LexigraftError, match="no different tokens for the dictionary's words: 2 pairs, of which 0"):
        objective.prepared(data, vocabulary, model.config, 32)
    with pytest.raises(LexigraftError, match=r"no such layer: 3\. Layers are 0 .* to 2"):
        refuse_unsuitable(LexicalContrast(layer=3), model.config)
    for wrong in ({"weight": 0.0}, {"temperature": 0.0}, {"pairs_per_sequence": 0}):
        with pytest.raises(ValueError, match="must be"):
            LexicalContrast(**wrong)
