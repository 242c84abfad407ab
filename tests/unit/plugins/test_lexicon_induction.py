"""Lexicon induction from a model: a known answer, both kinds of vectors, chance, coverage, and bad data."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from fixtures.twin_words import twins
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.evaluator import EvaluationContext, read_data
from lexigraft.core.evaluation.hidden_states import mean_input_rows
from lexigraft.core.registry import make
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.plugins.evaluators.lexicon_induction import LexiconData, LexiconInduction
from lexigraft.testing.tiny_models import fixture


def read(
    folder: Path, pairs: list[tuple[str, str]], evaluator: LexiconInduction | None = None, extra: str = ""
) -> LexiconData:
    path = folder / "dictionary.tsv.gz"
    path.write_bytes(gzip.compress(("".join(f"{a}\t{b}\n" for a, b in pairs) + extra).encode()))
    found = read_data(evaluator or LexiconInduction(), {"test": [str(path)]})
    assert isinstance(found, LexiconData)
    return found


@pytest.mark.parametrize("layer", ["input_table", "0", "-1", "two_thirds"])
@pytest.mark.parametrize("reverse", [False, True])
def test_translations_with_the_same_row_are_found_at_every_layer(tmp_path: Path, layer: str, reverse: bool) -> None:
    model, vocabulary, source, target = twins(16, same=12)
    evaluator = make("evaluator", "lexicon_induction", {"layer": layer, "reverse": reverse, "neighbors": 3})
    words = list(zip(target, source, strict=True)) if reverse else list(zip(source, target, strict=True))
    data = read(tmp_path, words, evaluator)
    assert list(data.lexicon.translations) == source
    scores = evaluator.evaluate(model, vocabulary, data, EvaluationContext())
    assert scores.items["precision_at_1_cosine"].numerators[:12].tolist() == [1] * 12
    assert scores.items["precision_at_1"].numerators[:12].mean() > 0.9
    assert scores.items["precision_at_1_cosine"].numerators[12:].mean() < 1
    assert scores.figures["coverage"] == 1
    assert scores.figures["candidates"] == 16
    assert evaluator.evaluate(model, vocabulary, data, EvaluationContext()).figures == scores.figures


def test_a_word_is_the_mean_of_the_rows_of_its_tokens() -> None:
    model, tokenizer, _ = fixture("bert-tied-bias")
    vocabulary = Vocabulary.of(tokenizer)
    words = [vocabulary.pieces(word.encode(), True) for word in ("riverbed", "sun")]
    assert len(words[0]) > 1
    table = model.get_input_embeddings().weight.detach()
    wanted = torch.stack([table[ids].mean(0) for ids in words])
    torch.testing.assert_close(mean_input_rows(model, words), wanted, atol=1e-6, rtol=1e-6)


def test_chance_is_one_over_the_candidates(tmp_path: Path) -> None:
    model, vocabulary, source, target = twins(40, same=0)
    table = model.get_input_embeddings().weight
    hits = []
    for seed in range(40):
        with torch.no_grad():
            table.copy_(torch.randn(table.shape, generator=torch.Generator().manual_seed(seed)))
        data = read(tmp_path, list(zip(source, target, strict=True)))
        hits.append(LexiconInduction().evaluate(model, vocabulary, data, EvaluationContext()).figures)
    # One standard error over 1,600 outcomes is 0.004 and 0.008.
    assert np.mean([f["precision_at_1"] for f in hits]) == pytest.approx(1 / 40, abs=0.013)
    assert np.mean([f["precision_at_5"] for f in hits]) == pytest.approx(5 / 40, abs=0.026)


def test_words_without_tokens_are_not_covered_and_count_as_wrong(tmp_path: Path) -> None:
    model, vocabulary, source, target = twins(4, same=4)
    pairs = [*zip(source, target, strict=True), ("数", target[0]), (source[1] + "x", "数")]
    data = read(tmp_path, [*pairs, ("Lima", "lima")], extra="no tab\n")
    scores = LexiconInduction().evaluate(model, vocabulary, data, EvaluationContext())
    assert scores.items["coverage"].numerators.tolist() == [1, 1, 1, 1, 0, 0]
    assert scores.figures["precision_at_1_cosine"] == pytest.approx(4 / 6)
    assert data.notes == ("1 lines that are not two columns are left out.",)
    assert scores.notes == ("1 pairs of equal words are left out.", "2 of 6 words are not covered and count as wrong.")


def test_bad_data_and_settings_are_refused(tmp_path: Path) -> None:
    model, vocabulary, *_ = twins(4, same=0)
    with pytest.raises(LexigraftError, match="dictionary not found"):
        LexiconInduction().read({"test": [str(tmp_path / "none.tsv")]})
    with pytest.raises(LexigraftError, match="no pair of different words"):
        read(tmp_path, [("Lima", "lima")])
    data = read(tmp_path, [("数", "water")])
    with pytest.raises(LexigraftError, match="no tokens for one side"):
        LexiconInduction().evaluate(model, vocabulary, data, EvaluationContext())
    with pytest.raises(LexigraftError, match="neighbors must be at least 1"):
        make("evaluator", "lexicon_induction", {"neighbors": 0})
    data = read(tmp_path, [("sun", "water")])
    with pytest.raises(LexigraftError, match="no such layer: 9"):
        LexiconInduction(layer=9).evaluate(model, vocabulary, data, EvaluationContext())
