"""FOCUS agrees with deepfocus 1.0.1, the authors' implementation, row by row on pairs of all three families.

Left out are deepfocus's own special anchors and the byte-level tokens that it takes for others; what it makes of them
is in `test_deepfocus_differences.py`.
"""

from __future__ import annotations

import numpy as np
import pytest

from parity.deepfocus_results import Compared, compare
from parity.marks import REAL
from parity.sentencepiece_pairs import made_pair, real_pair
from parity.word_and_byte_pairs import (
    made_byte_level_pair,
    made_wordpiece_pair,
    real_byte_level_pair,
    real_wordpiece_pair,
)

pytestmark = [pytest.mark.parity, pytest.mark.slow]
TOLERANCE = 1e-5
"""Rows have entries of about 1; float32 sums over thousands of anchors in another order differ by less than this."""


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(made_pair, id="sentencepiece"),
        pytest.param(made_wordpiece_pair, id="wordpiece"),
        pytest.param(made_byte_level_pair, id="byte-level"),
        pytest.param(real_pair, id="xlmr-swahili", marks=REAL),
        pytest.param(real_wordpiece_pair, id="mbert-swahili", marks=REAL),
        pytest.param(real_byte_level_pair, id="gpt2-swahili", marks=REAL),
    ],
)
def compared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Compared:
    folder = tmp_path_factory.mktemp("pair")
    return compare(folder, request.param(folder))


def test_the_same_tokens_match(compared: Compared) -> None:
    ours = compared.ours.alignment.source_ids
    theirs = np.full(len(ours), -1)
    theirs[compared.twins[:, 0]] = compared.twins[:, 1]
    left_out = ", ".join(f"{len(ids):,} {why}" for why, ids in compared.blurred.items()) or "none"
    print(f"{len(compared.ids):,} of {len(ours):,} tokens compared; left out as blurred: {left_out}")
    assert [i for i in compared.ids.tolist() if ours[i] != theirs[i]] == []
    assert len(np.intersect1d(compared.ids, compared.twins[:, 0])) > 40


def test_rows_agree(compared: Compared) -> None:
    decided, apart = compared.decided, compared.apart
    mixed = [i for i in decided if compared.ours.rules[i] == "focus"]
    counts = f"{len(decided):,} rows, {len(mixed):,} of them mixtures, {len(compared.random):,} random"
    print(f"{counts}; furthest apart {apart[decided].max():.1e}")
    assert decided[apart[decided] > TOLERANCE].tolist() == []
    assert len(mixed) > 50


def test_the_same_rows_are_left_to_the_fallback(compared: Compared) -> None:
    new = np.intersect1d(compared.ids, compared.ours.alignment.new)
    fallback = [i for i in new.tolist() if compared.ours.rules[i] in ("fallback", "unusable")]
    assert fallback == np.intersect1d(compared.random, compared.ids).tolist()
