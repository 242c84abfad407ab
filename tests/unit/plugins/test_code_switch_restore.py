"""Restoring code-switched text: what each kind of model reads and is asked for, and bad input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from fixtures.commands import lexigraft
from lexigraft.core.errors import LexigraftError
from lexigraft.core.registry import make
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.training.objective import Objective, read_files
from lexigraft.core.training.packing import NO_LOSS, Unmarked
from lexigraft.core.training.restoration import replaced, side_by_side
from lexigraft.testing.tiny_models import fixture

WORDS = "river\thouse\nhouse\triver\nmarket\told mountain\nthe\tand\n"
SWITCHED = {
    "We see the river.": "We see and house.",
    "They like the house.": "They like and river.",
    "It is market day.": "It is old mountain day.",
}
LINES = [*SWITCHED, "We see the river. We sing. It is market day.", "We sing."] * 12
LENGTH = 48
KINDS = {"masked": "bert-tied-bias", "causal": "llama-untied", "seq2seq": "t5-tied"}


class World:
    """A tiny model of a kind, the objective ready for it, and its first batch."""

    def __init__(self, kind: str, folder: Path, words: str = WORDS, **options: Any) -> None:
        self.model: PreTrainedModel
        self.model, tokenizer, _ = fixture(KINDS[kind])
        self.vocabulary = Vocabulary.of(tokenizer)
        (folder / "words.tsv").write_text(words)
        objective: Objective = make("objective", "code_switch_restore", {"p": 1.0, **options})
        data = read_files(objective, {"dictionary": [str(folder / "words.tsv")]})
        self.objective = objective.prepared(data, self.vocabulary, self.model.config, LENGTH)
        text = self.objective.pack(self.vocabulary, LINES, LENGTH)
        rows = Unmarked.of(np.stack([text.at(n, 0) for n in range(12)]))
        self.batch = self.objective.batch(
            torch.from_numpy(rows.ids), self.vocabulary, torch.Generator(), torch.from_numpy(rows.loss)
        )

    def shown(self, ids: torch.Tensor) -> str:
        return str(self.vocabulary.tokenizer.decode(ids))


def sentences(world: World, rows: torch.Tensor, cut: int = 1) -> list[str]:
    """The sentences of each row, between special tokens and what is not learned, without those that a row cuts."""
    borders = [-100, *world.vocabulary.special_ids]
    found = []
    for row in rows:
        parts = np.split(row.numpy(), np.flatnonzero(np.isin(row, borders)))
        shown = [world.shown(torch.from_numpy(part[~np.isin(part, borders)])) for part in parts]
        whole = [text for text in shown if text]
        found += whole[cut : len(whole) - cut]
    return found


@pytest.mark.parametrize(
    ("changed", "clean", "read"),
    [
        ([1, 9, 8, 4], [1, 2, 3, 4], [1, 9, 8, 4]),  # two tokens for two
        ([1, 9, 4], [1, 2, 3, 4], [1, 2, 3, 4]),  # one for two: read as it is
        ([9, 2, 8, 7, 4], [1, 2, 3, 4], [9, 2, 3, 4]),  # one for one, and two for one
        ([1, 5, 2], [1, 2], [1, 2]),  # put in
        ([1], [1, 2], [1, 2]),  # left out
        ([2, 1], [1, 2], [1, 2]),  # difflib sees one token put in and one left out
    ],
)
def test_runs_of_equal_length_are_replaced(changed: list[int], clean: list[int], read: list[int]) -> None:
    assert replaced(changed, clean) == read


def test_pairs_share_rows_as_long_as_both_sides_fit() -> None:
    # With the end (0) the sides are 3 and 4, 2 and 2, 5 and 5 (cut). The second pair would make the second side 6 of 5.
    pairs = [([1, 2], [3, 4, 5]), ([6], [7]), ([1, 2, 3, 4, 5, 6], [9, 8, 7, 6, 5])]
    pad = 99 | NO_LOSS
    rows = side_by_side(pairs, 5, 0, 99).rows
    assert rows.tolist() == [
        [1, 2, 0, pad, pad, 3, 4, 5, 0, pad],
        [6, 0, pad, pad, pad, 7, 0, pad, pad, pad],
        [1, 2, 3, 4, 0, 9, 8, 7, 6, 0],
    ]
    assert side_by_side(pairs[:2], 6, 0, 99).rows.shape == (1, 12)
    with pytest.raises(LexigraftError, match="nothing of the text is changed"):
        side_by_side([], 5, 0, 99)


def test_a_masked_model_predicts_words_at_the_tokens_of_their_translations(tmp_path: Path) -> None:
    world = World("masked", tmp_path)
    read, labels = world.batch["input_ids"], world.batch["labels"]
    learned = labels != -100
    pairs = {(world.shown(r), world.shown(c)) for r, c in zip(read[learned], labels[learned], strict=True)}
    assert pairs == {("and", "the"), ("house", "river"), ("river", "house")}
    # "old mountain" has two tokens and "market" one: that sentence stays as it is.
    assert set(sentences(world, read)) == {"We see and house.", "They like and river.", "It is market day."}
    assert set(sentences(world, torch.where(learned, labels, read))) == set(SWITCHED)


def test_a_causal_model_learns_the_clean_sentence_behind_the_separator(tmp_path: Path) -> None:
    world = World("causal", tmp_path)
    read, labels = world.batch["input_ids"], world.batch["labels"]
    whole = {f"{switched} => {clean}" for clean, switched in SWITCHED.items()}
    assert set(sentences(world, read)) == whole
    learned = set(sentences(world, labels, 0))
    assert set(SWITCHED) <= learned
    assert all(any(part in clean for clean in SWITCHED) for part in learned)
    special = world.vocabulary.specials
    assert not (labels == special["bos"]).any()
    assert (labels == special["eos"]).any()


def test_an_encoder_decoder_reads_switched_and_writes_clean_sentences(tmp_path: Path) -> None:
    world = World("seq2seq", tmp_path)
    read, seen, labels = (world.batch[name] for name in ("input_ids", "attention_mask", "labels"))
    assert (seen == (read != world.vocabulary.specials["pad"])).all()
    pairs = set(zip(sentences(world, read, 0), sentences(world, labels, 0), strict=True))
    assert pairs == {(switched, clean) for clean, switched in SWITCHED.items()}


def test_the_words_of_the_text_may_stand_in_the_second_column(tmp_path: Path) -> None:
    backwards = "".join("\t".join(reversed(line.split("\t"))) + "\n" for line in WORDS.splitlines())
    read = World("seq2seq", tmp_path, backwards, reverse=True).batch["input_ids"]
    assert torch.equal(read, World("seq2seq", tmp_path).batch["input_ids"])
    with pytest.raises(LexigraftError, match="nothing to do"):
        World("seq2seq", tmp_path, "market\tkapital\n", reverse=True)


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_the_models_own(tmp_path: Path, kind: str) -> None:
    world = World(kind, tmp_path)
    ours = world.objective.loss(world.model, world.batch)
    assert ours.item() == pytest.approx(world.model(**world.batch).loss.item(), abs=1e-5)
    nothing = {**world.batch, "labels": torch.full_like(world.batch["labels"], -100)}
    assert world.objective.loss(world.model, nothing).item() == 0
    assert world.objective.predicted(nothing) == 0


def test_noise_is_restored_too_and_epochs_differ(tmp_path: Path) -> None:
    few, many = (World("seq2seq", tmp_path, noise=noise, p=0.3).batch["input_ids"] for noise in (0.0, 0.5))
    assert few.shape == many.shape
    assert not torch.equal(few, many)
    objective = World("masked", tmp_path, p=0.5).objective
    vocabulary = Vocabulary.of(fixture("bert-tied-bias")[1])
    text: Any = objective.pack(vocabulary, LINES, 32)
    epochs = [text._pack_epoch(epoch).rows.tobytes() for epoch in (0, 0, 1, 2, 3)]
    assert epochs[0] == epochs[1]
    assert len(set(epochs)) > 1


def test_inputs_that_cannot_be_used(tmp_path: Path) -> None:
    for options in ({"p": 0}, {"noise": 2}, {"per": "line"}):
        with pytest.raises(LexigraftError):
            make("objective", "code_switch_restore", options)
    objective: Objective = make("objective", "code_switch_restore", {})
    with pytest.raises(LexigraftError, match="needs more files"):
        read_files(objective, {})
    with pytest.raises(LexigraftError, match="dictionary not found"):
        read_files(objective, {"dictionary": [str(tmp_path / "none.tsv")]})
    (tmp_path / "other.tsv").write_text("mayu\triver\n")
    data = read_files(objective, {"dictionary": [str(tmp_path / "other.tsv")]})
    model, tokenizer, _ = fixture("llama-untied")
    ready = objective.prepared(data, Vocabulary.of(tokenizer), model.config, 32)
    with pytest.raises(LexigraftError, match=r"nothing to do.*'mayu'"):
        ready.pack(Vocabulary.of(tokenizer), LINES, 32)


def test_adapt_restores(tmp_path: Path) -> None:
    model, tokenizer, _ = fixture("t5-tied")
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    (tmp_path / "text.txt").write_text("\n".join(f"{n}. {line}" for n, line in enumerate(LINES)))
    (tmp_path / "words.tsv").write_text(WORDS)
    done = lexigraft(
        "adapt", str(tmp_path / "model"), "--out", str(tmp_path / "out"), "--corpus", str(tmp_path / "text.txt"),
        "--objective", "code_switch_restore:p=0.8,noise=0.1", "--objective-file", f"dictionary={tmp_path}/words.tsv",
        "--steps", "2", "--batch-tokens", "64", "--sequence-length", "32", "--json",
    )  # fmt: skip
    assert done.code == 0, done
    assert done.json["last_loss"] > 0
