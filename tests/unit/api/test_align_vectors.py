"""Alignment of two vector files: a rotation is found and undone, the test is disjoint, what is missing is counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import lexigraft
from lexigraft.adapters.vectors.vec_writer import write_vec
from lexigraft.adapters.vectors.word_vectors import read_words
from lexigraft.api import align_vectors as module
from lexigraft.core.errors import LexigraftError

WORDS, DIM = 150, 8


@dataclass(frozen=True)
class World:
    """Two vector files whose word ``sN`` means ``tN``, the rotation between them, and a dictionary."""

    source: Path
    target: Path
    vectors: npt.NDArray[np.float32]
    rotated: npt.NDArray[np.float32]
    dictionary: Path


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("spaces")
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(WORDS, DIM)).astype(np.float32)
    rotation = np.linalg.qr(generator.normal(size=(DIM, DIM)))[0]
    rotated = (vectors @ rotation).astype(np.float32)
    write_vec(folder / "s.vec", [f"s{n}" for n in range(WORDS)], vectors)
    order = generator.permutation(WORDS)
    write_vec(folder / "t.vec", [f"t{n}" for n in order], rotated[order])
    dictionary = folder / "dictionary.tsv"
    dictionary.write_text("".join(f"s{n}\tt{n}\n" for n in range(WORDS)))
    return World(folder / "s.vec", folder / "t.vec", vectors, rotated, dictionary)


@pytest.mark.parametrize("method", ["procrustes", "rcsls"])
def test_a_rotation_is_found_from_some_words_and_finds_the_others(world: World, tmp_path: Path, method: str) -> None:
    out = tmp_path / "mapped.vec"
    result = lexigraft.align_vectors(world.source, world.target, [world.dictionary], out, method=method)
    tested = WORDS - result.pairs
    assert result.train_pairs == result.pairs
    assert 0.1 * WORDS < tested < 0.3 * WORDS
    assert result.figures["precision_at_1"] == result.figures["precision_at_1_cosine"] == 1
    assert result.figures["coverage"] == 1
    assert result.figures["candidates"] == WORDS
    assert result.out == out
    mapped = read_words(str(out))
    assert mapped.words == tuple(f"s{n}" for n in range(WORDS))
    if method == "procrustes":
        np.testing.assert_allclose(mapped.vectors.numpy(), world.rotated, atol=1e-5)
        again = lexigraft.align_vectors(out, world.target, [world.dictionary])
        assert again.figures["mean_reciprocal_rank"] == 1
        assert again.out is None


def test_no_source_word_of_the_test_is_learned_from(world: World, tmp_path: Path) -> None:
    test = tmp_path / "test.tsv"
    # s0 and S1 are in the other dictionary too; one word has no vector, one no translation with a vector; s2 has two.
    test.write_text("s0\tt0\nS1\tt1\nnone\tt3\ns5\tnone\ns2\tt9\ns2\tt2\n")
    result = lexigraft.align_vectors(world.source, world.target, [world.dictionary], test=[test])
    assert result.train_pairs == result.pairs == WORDS - 4
    assert result.figures["coverage"] == pytest.approx(3 / 5)
    assert result.figures["precision_at_1"] == pytest.approx(3 / 5)
    assert result.figures["covered_precision_at_1"] == 1
    assert result.notes == (
        "4 pairs are not learned from: their source words are tested on.",
        "2 of 5 words are not covered and count as wrong.",
    )


def test_the_share_that_is_held_out_depends_on_the_words_alone(world: World) -> None:
    pairs = [(f"s{n}", f"t{n}") for n in range(WORDS)]
    train, tested, _ = module._divided([world.dictionary], (), 0.2, False)
    assert sorted(train + tested) == sorted(pairs)
    assert module._divided([world.dictionary], (), 0.0, False)[1] == []
    whole = lexigraft.align_vectors(world.source, world.target, [world.dictionary], test_share=0.0)
    assert (whole.pairs, whole.figures) == (WORDS, {})
    assert whole.notes == ("Nothing is measured: no word is held out.",)
    other_way = lexigraft.align_vectors(world.target, world.source, [world.dictionary], reverse=True)
    assert other_way.figures["precision_at_1"] == 1


def test_a_wider_space_is_mapped_to_a_narrower_one(world: World, tmp_path: Path) -> None:
    wide = tmp_path / "wide.vec"
    words = [f"s{n}" for n in range(WORDS)]
    write_vec(wide, words, np.hstack([world.vectors, np.zeros((WORDS, 3), np.float32)]))
    for method in ("procrustes", "rcsls"):
        out = tmp_path / f"{method}.vec"
        found = lexigraft.align_vectors(wide, world.target, [world.dictionary], out, method=method)
        assert found.figures["precision_at_1"] == 1
        assert read_words(str(out)).vectors.shape == (WORDS, DIM)


def test_few_pairs_are_noted(world: World, tmp_path: Path) -> None:
    small = tmp_path / "small.tsv"
    small.write_text("s1\tt1\ns2\tt2\n")
    found = lexigraft.align_vectors(world.source, world.target, [small], test_share=0)
    assert found.notes[0] == "2 pairs of words with vectors for 8 dimensions: aligned only in part."


BAD: Mapping[str, tuple[dict[str, object], str]] = {
    "method": ({"method": "procrustis"}, "unknown alignment method: procrustis.*'procrustes'"),
    "share": ({"test_share": 1.0}, "share must be"),
    "steps": ({"steps": 0}, "at least 1: 0"),
    "direction": ({"reverse": True}, "no pair of the dictionary has word vectors on both sides.*reverse"),
    "suffix": ({"out": "mapped.bin"}, "end in .vec"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_settings_are_refused_with_one_error(world: World, name: str) -> None:
    options, message = BAD[name]
    with pytest.raises(LexigraftError, match=message):
        lexigraft.align_vectors(world.source, world.target, [world.dictionary], **options)


def test_bad_files_are_refused_and_nothing_is_written(world: World, tmp_path: Path) -> None:
    out = tmp_path / "out.vec"
    for source, dictionary, message in (
        (tmp_path / "none.vec", world.dictionary, "word vectors not found"),
        (world.source, tmp_path / "none.tsv", "dictionary not found"),
    ):
        with pytest.raises(LexigraftError, match=message):
            lexigraft.align_vectors(source, world.target, [dictionary], out)
    with pytest.raises(LexigraftError, match="left to learn from: 150 pairs"):
        lexigraft.align_vectors(world.source, world.target, [world.dictionary], out, test=[world.dictionary])
    assert not out.exists()
    out.write_text("mine")
    with pytest.raises(LexigraftError, match="output file exists"):
        lexigraft.align_vectors(world.source, world.target, [world.dictionary], out)
    assert out.read_text() == "mine"
    lexigraft.align_vectors(world.source, world.target, [world.dictionary], out, force=True)
    assert out.read_text() != "mine"


def test_words_that_a_text_file_cannot_hold_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "w.vec"
    write_vec(path, ["two words", "line\nend", "", "ñ"], np.arange(8, dtype=np.float32).reshape(4, 2))
    found = read_words(str(path))
    assert found.words == ("two words", "ñ")
    assert found.vectors.tolist() == [[0, 1], [6, 7]]
