"""Packing: rows without padding that hold all the text in order, and an order that can be entered anywhere."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.training.packing import pack
from lexigraft.testing.sample_text import SOURCE_TEXT
from lexigraft.testing.tiny_models import fixture

LINES = SOURCE_TEXT.splitlines()


def _vocabulary(name: str) -> Vocabulary:
    return Vocabulary.of(fixture(name)[1])


def test_masked_rows_are_framed_and_hold_the_text_in_order() -> None:
    vocabulary = _vocabulary("bert-tied-bias")
    rows = pack(vocabulary, LINES, 24, kind="masked").rows
    cls, sep = vocabulary.specials["cls"], vocabulary.specials["sep"]
    assert rows.dtype == np.int32
    assert rows.shape[1] == 24
    assert (rows[:, 0] == cls).all()
    assert (rows[:, -1] == sep).all()
    expected = [i for line in vocabulary.encode(LINES) for i in [*line, sep]]
    assert rows[:, 1:-1].ravel().tolist() == expected[: rows[:, 1:-1].size]
    assert 0 <= len(expected) - rows[:, 1:-1].size < 22
    assert vocabulary.specials["pad"] not in rows


def test_causal_lines_stand_between_bos_and_eos_once_where_they_are_one_token() -> None:
    both = _vocabulary("llama-untied")
    bos, eos = both.specials["bos"], both.specials["eos"]
    expected = [i for line in both.encode(LINES) for i in [bos, *line, eos]]
    rows = pack(both, LINES, 16, kind="causal").rows
    assert rows.ravel().tolist() == expected[: rows.size]

    tokenizer = fixture("gpt2-tied")[1]
    tokenizer.bos_token = tokenizer.eos_token
    same = Vocabulary.of(tokenizer)
    expected = [i for line in same.encode(LINES) for i in [*line, same.specials["eos"]]]
    rows = pack(same, LINES, 16, kind="causal").rows
    assert rows.ravel().tolist() == expected[: rows.size]


def test_encoder_decoder_lines_end_with_eos() -> None:
    vocabulary = _vocabulary("t5-tied")
    expected = [i for line in vocabulary.encode(LINES) for i in [*line, vocabulary.specials["eos"]]]
    rows = pack(vocabulary, LINES, 16, kind="seq2seq").rows
    assert rows.ravel().tolist() == expected[: rows.size]


def test_every_epoch_shows_every_row_once_in_another_order() -> None:
    packed = pack(_vocabulary("llama-tied"), LINES, 16, kind="causal")
    count = len(packed)
    epochs = [np.stack([packed.at(e * count + i, 0) for i in range(count)]) for e in range(2)]
    assert not np.array_equal(*epochs)
    for epoch in epochs:
        assert sorted(map(tuple, epoch)) == sorted(map(tuple, packed.rows))


def test_batches_restart_at_any_step_and_differ_by_seed() -> None:
    packed = pack(_vocabulary("llama-tied"), LINES, 16, kind="causal")
    whole = list(itertools.islice(packed.batches(5, 3), 40))
    for start in (0, 7, 39):
        again = list(itertools.islice(packed.batches(5, 3, start), 40 - start))
        assert all(np.array_equal(a, b) for a, b in zip(whole[start:], again, strict=True))
    assert whole[0].dtype == np.int64
    assert not np.array_equal(whole[0], next(packed.batches(5, 4)))


@pytest.mark.parametrize("lines", [[], ["a"]])
def test_text_that_fills_no_row_is_refused(lines: list[str]) -> None:
    with pytest.raises(LexigraftError, match="too small to fill one training sequence"):
        pack(_vocabulary("llama-tied"), lines, 64, kind="causal")
