"""What does not fit into memory is the same from a file."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from lexigraft.core.data import spill
from lexigraft.core.data.corpus import Corpus, load_corpus, split, spread, without
from lexigraft.core.data.spill import KeptLines, Seen, keep_lines
from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.training.packing import pack
from lexigraft.testing.sample_text import SOURCE_TEXT
from lexigraft.testing.tiny_models import fixture

LINES = ["Iskay ñan", "", "kimsa 🙂", "a" * 5000, "lone \ud800 half"]


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spill, "HELD", 100)


def test_lines_in_a_file_are_a_sequence_like_any_other() -> None:
    kept = KeptLines.of(LINES)
    assert list(kept) == LINES
    assert (len(kept), kept[1], kept[-2]) == (5, "", "a" * 5000)
    assert list(kept[1:4]) == LINES[1:4]
    assert list(kept[::2][1:]) == ["kimsa 🙂", LINES[4]]
    assert "kimsa 🙂" in kept
    assert list(pickle.loads(pickle.dumps(kept[:3]))) == LINES[:3]
    with pytest.raises(IndexError):
        kept[5]


def test_few_lines_stay_in_memory(little_memory: None) -> None:
    assert keep_lines(iter(["a", "b"])) == ("a", "b")
    assert isinstance(keep_lines(["a" * 60] * 2), KeptLines)


def test_a_corpus_in_a_file_is_the_corpus_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "text.txt"
    path.write_text("\n".join(f" line {n % 150} \n" for n in range(300)), encoding="utf-8")
    held = load_corpus([path])
    monkeypatch.setattr(spill, "HELD", 100)
    kept = load_corpus([path])
    assert isinstance(kept.lines, KeptLines)
    assert (kept.hash, kept.bytes, kept.dropped_empty, kept.dropped_duplicates) == (
        held.hash, held.bytes, held.dropped_empty, held.dropped_duplicates
    )  # fmt: skip
    for parts in (split(held, 0.2, 1), split(kept, 0.2, 1)):
        assert [p.hash for p in parts] == [p.hash for p in split(held, 0.2, 1)]
    unseen = Corpus.of(["line 7", "elsewhere"])
    assert without(kept, unseen).hash == without(held, unseen).hash
    assert spread(kept, 10).hash == spread(held, 10).hash


def test_packed_rows_in_a_file_are_the_rows_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    vocabulary = Vocabulary.of(fixture("bert-tied-bias")[1])
    lines = SOURCE_TEXT.splitlines()
    held = pack(vocabulary, lines, 24, kind="masked").rows
    monkeypatch.setattr(spill, "HELD", 100)
    kept = pack(vocabulary, lines, 24, kind="masked").rows
    assert isinstance(kept, np.memmap)
    assert np.array_equal(kept, held)


def test_repeated_lines_are_known_again_after_they_were_put_aside() -> None:
    seen = Seen(at_once=3)
    lines = [str(n % 10) for n in range(40)]
    assert [seen.add(line) for line in lines] == [n < 10 for n in range(40)]


def test_a_full_disk_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    full = Path("/dev/full").open("wb")  # noqa: SIM115  the context manager is what is tested
    monkeypatch.setattr(spill.tempfile, "TemporaryFile", lambda **_: full)
    with pytest.raises(LexigraftError, match="cannot write a temporary file"):
        KeptLines.of(["text"])
