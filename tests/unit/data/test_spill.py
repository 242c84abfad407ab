"""What does not fit into memory is the same from a file."""

import gc
import os
import pickle
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from lexigraft.core.data import spill
from lexigraft.core.data.corpus import Corpus, evenly_chosen, load_corpus, split, without
from lexigraft.core.data.spill import DiskLines, LineDeduplicator, keep_lines
from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.training.packing import pack
from lexigraft.testing.sample_text import SOURCE_TEXT
from lexigraft.testing.tiny_models import fixture

LINES = ["Iskay ñan", "", "kimsa 🙂", "a" * 5000, "lone \ud800 half"]


def test_lines_in_a_file_are_a_sequence_like_any_other() -> None:
    kept = DiskLines.of(LINES)
    assert list(kept) == LINES
    assert (len(kept), kept[1], kept[-2]) == (5, "", "a" * 5000)
    assert list(kept[1:4]) == LINES[1:4]
    assert list(kept[::2][1:]) == ["kimsa 🙂", LINES[4]]
    assert "kimsa 🙂" in kept
    assert list(pickle.loads(pickle.dumps(kept[:3]))) == LINES[:3]
    with pytest.raises(IndexError):
        kept[5]


def test_few_lines_stay_in_memory() -> None:
    assert keep_lines(iter(["a", "b"]), held_bytes=100) == ("a", "b")
    assert isinstance(keep_lines(["a" * 60] * 2, held_bytes=100), DiskLines)


def test_a_corpus_in_a_file_is_the_corpus_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("\n".join(f" line {n % 150} \n" for n in range(300)), encoding="utf-8")
    held = load_corpus([path])
    kept = load_corpus([path], held_bytes=100)
    assert isinstance(kept.lines, DiskLines)
    assert (kept.hash, kept.bytes, kept.dropped_empty, kept.dropped_duplicates) == (
        held.hash, held.bytes, held.dropped_empty, held.dropped_duplicates
    )  # fmt: skip
    for parts in (split(held, 0.2, 1), split(kept, 0.2, 1)):
        assert [p.hash for p in parts] == [p.hash for p in split(held, 0.2, 1)]
    unseen = Corpus.of(["line 7", "elsewhere"])
    assert without(kept, unseen).hash == without(held, unseen).hash
    assert evenly_chosen(kept, 10).hash == evenly_chosen(held, 10).hash


def test_packed_rows_in_a_file_are_the_rows_in_memory() -> None:
    vocabulary = Vocabulary.of(fixture("bert-tied-bias")[1])
    lines = SOURCE_TEXT.splitlines()
    held = pack(vocabulary, lines, 24, kind="masked").rows
    kept = pack(vocabulary, lines, 24, kind="masked", held_bytes=100).rows
    assert isinstance(kept, np.memmap)
    assert np.array_equal(kept, held)


def test_repeated_lines_are_known_again_after_they_were_put_aside() -> None:
    lines = [str(n % 10).encode() for n in range(40)]
    for size in (1, 7, 40):
        seen = LineDeduplicator(buffer_size=3)
        new = [seen.add(lines[at : at + size]) for at in range(0, 40, size)]
        assert list(chain(*new)) == [n < 10 for n in range(40)]


def test_only_what_comes_before_the_last_wanted_line_is_counted(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("a\n\na\nb\nb\n\nc\n\nc\n")
    corpus = load_corpus([tmp_path / "text.txt"], limit_lines=2)
    assert (tuple(corpus.lines), corpus.dropped_empty, corpus.dropped_duplicates) == (("a", "b"), 1, 1)


def test_batches_of_any_size_hold_the_same_lines() -> None:
    lines = [f"line {n}" for n in range(10)]
    for size in (1, 3, 10, 99):
        kept = DiskLines.of(lines, lines_per_batch=size)
        assert list(kept[::-1]) == lines[::-1]
        assert [kept[n] for n in (9, 0, 5)] == [lines[n] for n in (9, 0, 5)]


def test_a_file_of_lines_is_gone_with_its_last_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    gc.collect()
    open_before = set(os.listdir("/dev/fd"))
    kept = DiskLines.of(["a", "b"])
    part = kept[1:]
    assert list(tmp_path.iterdir()) == []
    del kept
    assert list(part) == ["b"]
    del part
    gc.collect()
    assert set(os.listdir("/dev/fd")) == open_before


def test_a_full_disk_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    full = Path("/dev/full").open("wb")  # noqa: SIM115  the context manager is what is tested
    monkeypatch.setattr(spill.tempfile, "TemporaryFile", lambda **_: full)
    with pytest.raises(LexigraftError, match="cannot write a temporary file"):
        DiskLines.of(["text"])
