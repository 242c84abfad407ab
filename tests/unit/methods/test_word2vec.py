"""Counting who stands near whom."""

from __future__ import annotations

import numpy as np
import pytest

from fixtures.small_worlds import words
from lexigraft.core.methods.learned_weights import mixable
from lexigraft.core.methods.word2vec import LINE_END, count_pairs, token_stream


def test_the_stream_ends_lines_and_leaves_out_what_is_not_known() -> None:
    vocabulary = words("sun", "moon")
    found = token_stream(vocabulary, ["sun rain moon", "", "moon"], mixable(vocabulary))
    assert found.tolist() == [2, 3, LINE_END, LINE_END, 3, LINE_END]
    assert token_stream(vocabulary, [], mixable(vocabulary)).tolist() == []


@pytest.mark.parametrize("block", [1, 3, 7, 1000])
def test_blocks_change_no_count(block: int) -> None:
    stream = np.random.default_rng(0).integers(-1, 6, 200).astype(np.int32)
    wanted = np.zeros((6, 6))
    lines = np.split(stream, np.flatnonzero(stream == LINE_END))
    for line in ([i for i in part if i != LINE_END] for part in lines):
        for at, centre in enumerate(line):
            for context in line[max(0, at - 4) : at] + line[at + 1 : at + 5]:
                wanted[centre, context] += 1
    found = count_pairs(stream, 6, 4, block=block)
    np.testing.assert_array_equal(found.dense(np.arange(6)).numpy(), wanted)
    np.testing.assert_array_equal(found.totals, wanted.sum(1))


def test_no_text_has_no_pairs() -> None:
    found = count_pairs(np.array([LINE_END, 2, LINE_END], np.int32), 3, 5)
    assert found.totals.tolist() == [0, 0, 0]
    assert found.dense(np.arange(3)).sum() == 0
    assert count_pairs(np.zeros(0, np.int32), 2, 5).totals.tolist() == [0, 0]
