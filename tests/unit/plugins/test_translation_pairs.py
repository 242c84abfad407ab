"""Translation pairs: which pairs an epoch holds, how they lie in rows, how rows take turns, and bad input."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from fixtures.commands import lexigraft
from lexigraft.core.data.mixture.schedule import turns
from lexigraft.core.errors import LexigraftError
from lexigraft.core.registry import make
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.training.mixed_text import MixedText
from lexigraft.core.training.objective import read_files
from lexigraft.core.training.packing import PackedText, TrainingText
from lexigraft.plugins.objectives.translation_pairs import PairData, TranslationPairs
from lexigraft.testing.sample_text import SOURCE_TEXT
from lexigraft.testing.tiny_models import fixture

LINES = SOURCE_TEXT.splitlines()
PAIRS = tuple((line, line.upper()) for line in LINES)


def packed(objective: TranslationPairs, vocabulary: Vocabulary, pairs: tuple[tuple[str, str], ...]) -> TrainingText:
    ready = make("objective", objective.name, objective.parameters())
    object.__setattr__(ready, "material", PairData(hash="", corpora=(pairs,)))
    text: TrainingText = ready.pack(vocabulary, LINES, 32)
    return text


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary.of(fixture("bert-tied-bias")[1])


def test_smaller_files_are_repeated_by_the_exponent() -> None:
    large = tuple((f"l{n}", f"L{n}") for n in range(1000))
    small = tuple((f"s{n}", f"S{n}") for n in range(10))
    data = PairData(hash="", corpora=(large, small))
    for exponent, repeated in ((1.0, 10), (0.0, 1000), (0.3, 251)):
        # n_small * (1000 / 10) ** (1 - 0.3) = 10 * 25.1189 = 251.189; in proportion 10 ** 0.3 : 1000 ** 0.3 = 1 : 3.98.
        drawn = Counter(min(pair).lower() for pair in TranslationPairs(exponent=exponent).pairs_of(data, 0))
        assert {drawn[f"l{n}"] for n in range(1000)} == {1}
        counts = [drawn[f"s{n}"] for n in range(10)]
        assert sum(counts) == repeated
        assert max(counts) - min(counts) <= 1


def test_both_orders_occur_and_another_epoch_draws_others() -> None:
    data = PairData(hash="", corpora=(tuple((f"a{n}", f"b{n}") for n in range(400)),))
    first, again, second = (list(TranslationPairs().pairs_of(data, epoch)) for epoch in (0, 0, 1))
    assert first == again != second
    assert {tuple(sorted(pair)) for pair in first} == set(data.corpora[0])
    turned = sum(left.startswith("b") for left, _ in first)
    assert abs(turned - 200) <= 50  # five times sqrt(400 / 4)
    assert first != sorted(first)


def test_the_sides_of_a_pair_lie_beside_each_other_between_separators(vocabulary: Vocabulary) -> None:
    left, right = "The river runs.", "The old house."
    row = packed(TranslationPairs(pair_share=1.0), vocabulary, ((left, right),) * 40).at(0, 0)
    sep, cls = vocabulary.specials["sep"], vocabulary.specials["cls"]
    assert (row[0], row[-1]) == (cls, sep)
    one, two = (tuple(ids) for ids in vocabulary.encode([left, right]))
    sides = [tuple(part) for part in np.split(row[1:], np.flatnonzero(row[1:] == sep) + 1)[:-1]]
    # The first and the last side of a row may be cut; each other one stands whole, before one separator.
    whole = [side[:-1] for side in sides[1:-1]]
    assert set(whole) <= {one, two}
    assert {one, two} <= set(whole)


def test_pairs_that_fill_no_row_are_refused(vocabulary: Vocabulary) -> None:
    with pytest.raises(LexigraftError, match=r"pairs: the corpus is too small"):
        packed(TranslationPairs(), vocabulary, (("One.", "Two."),))


def test_tokens_of_both_sides_are_hidden_and_the_loss_is_the_masked_one(vocabulary: Vocabulary) -> None:
    model = fixture("bert-tied-bias")[0]
    text = packed(TranslationPairs(pair_share=1.0, mask_share=0.5), vocabulary, PAIRS)
    ids = torch.from_numpy(np.stack([text.at(n, 0) for n in range(4)])).long()
    objective = TranslationPairs(mask_share=0.5)
    made = objective.batch(ids, vocabulary, torch.Generator().manual_seed(0))
    learned = made["labels"] != -100
    assert (made["labels"][learned] == ids[learned]).all()
    assert objective.predicted(made) == int(learned.sum())
    assert objective.loss(model, made).item() == pytest.approx(model(**made).loss.item(), abs=1e-5)


def test_rows_take_turns_by_share() -> None:
    def by_turns(text: PackedText, pairs: PackedText, share: float) -> MixedText:
        return MixedText({"target": text, "pairs": pairs}, turns(share))

    text, pairs = (PackedText(np.full((4, 3), value, np.int32)) for value in (1, 2))
    rows = [int(by_turns(text, pairs, 0.25).at(position, 0)[0]) for position in range(12)]
    assert rows == [1, 1, 1, 2] * 3
    assert {int(by_turns(text, pairs, 1.0).at(position, 0)[0]) for position in range(8)} == {2}
    numbered = PackedText(np.arange(40, dtype=np.int32)[:, None])
    third = by_turns(numbered, PackedText(numbered.rows + 100), 0.3)
    seen = Counter(int(third.at(position, 5)[0]) for position in range(100))
    assert sum(count for row, count in seen.items() if row >= 100) == 30
    assert max(seen.values()) <= 2  # 70 rows of 40 and 30 of 40: no text goes back before it has ended


def test_pairs_that_are_measured_on_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "pairs.tsv").write_text("one\teins\ntwo\tzwei\nthree\tdrei\n")
    objective = TranslationPairs()
    data = read_files(objective, {"pairs": [str(tmp_path / "pairs.tsv")]}, {"zwei", "one"})
    assert isinstance(data, PairData)
    assert data.corpora == ((("three", "drei"),),)
    with pytest.raises(LexigraftError, match="measured on"):
        read_files(objective, {"pairs": [str(tmp_path / "pairs.tsv")]}, {"eins", "two", "three"})
    with pytest.raises(LexigraftError, match="needs more files"):
        read_files(objective, {})


@pytest.mark.parametrize("options", [{"pair_share": 0}, {"exponent": 1.5}, {"mask_share": 1}])
def test_options_that_cannot_be(options: dict[str, float]) -> None:
    with pytest.raises(LexigraftError):
        make("objective", "translation_pairs", options)


def test_adapt_learns_from_pairs(tmp_path: Path) -> None:
    model, tokenizer, _ = fixture("bert-tied-bias")
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    (tmp_path / "text.txt").write_text(SOURCE_TEXT)
    (tmp_path / "pairs.tsv").write_text("".join(f"{left}\t{right}\n" for left, right in PAIRS))
    command = [
        "adapt", str(tmp_path / "model"), "--out", str(tmp_path / "out"), "--corpus", str(tmp_path / "text.txt"),
        "--objective", "translation_pairs:pair_share=0.5", "--steps", "2", "--batch-tokens", "64",
        "--sequence-length", "32",
    ]  # fmt: skip
    lacking = lexigraft(*command)
    assert (lacking.code, "needs more files" in lacking.err) == (2, True)
    done = lexigraft(*command, "--objective-file", f"pairs={tmp_path}/pairs.tsv", "--json")
    assert done.code == 0, done
    assert done.json["last_loss"] > 0
