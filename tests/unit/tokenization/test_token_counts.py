"""Token counts that are stored: counted once for each vocabulary and text, and again where the file is damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fixtures.small_worlds import words
from lexigraft.core.data.corpus import Corpus
from lexigraft.core.tokenization import token_counts as module
from lexigraft.core.tokenization.token_counts import stored_counts

SUN, MOON = words("sun", "moon"), words("moon", "sun")
TEXT = Corpus.of(["sun moon sun", "moon sun"])


def test_counts_are_taken_once_for_each_vocabulary_and_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert stored_counts(SUN, TEXT, tmp_path).tolist() == [0, 0, 3, 2]
    assert stored_counts(MOON, TEXT, tmp_path).tolist() == [0, 0, 2, 3]
    assert stored_counts(SUN, Corpus.of(["moon"]), tmp_path).tolist() == [0, 0, 0, 1]
    monkeypatch.delattr(module, "token_counts")
    assert stored_counts(SUN, TEXT, tmp_path).tolist() == [0, 0, 3, 2]


def test_a_damaged_file_is_counted_again(tmp_path: Path) -> None:
    stored_counts(SUN, TEXT, tmp_path)
    [path] = tmp_path.glob("*.npy")
    whole = path.read_bytes()
    for damaged in (b"", whole[:40], whole[:-8], b"nothing"):
        path.write_bytes(damaged)
        assert stored_counts(SUN, TEXT, tmp_path).tolist() == [0, 0, 3, 2]
    np.save(path, np.zeros(3, np.int64))
    assert stored_counts(SUN, TEXT, tmp_path).tolist() == [0, 0, 3, 2]
