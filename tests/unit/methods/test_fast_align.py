"""Word alignment: a made language with known links, the corners, and the symmetrisation by hand."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from lexigraft.adapters.word_aligners import align_with_eflomal
from lexigraft.core.errors import LexigraftError
from lexigraft.core.methods.word_alignment.fast_align import PRIOR, _Direction, _dirichlet_means, align_words
from lexigraft.core.methods.word_alignment.fast_align_cells import alignment_cells
from lexigraft.core.methods.word_alignment.symmetrization import symmetrized

UnitLinks = list[list[tuple[int, int]]]


def linked_sentences(sentences: int, seed: int = 0) -> tuple[list[list[str]], list[list[str]], UnitLinks]:
    """Sentences of 60 words, word for word in another language, each pair of neighbours turned with chance 1/3.

    Words follow Zipf's law; "le" stands before every second word of the target and means nothing in the source.
    """
    rng = np.random.default_rng(seed)
    chance = 1 / np.arange(1, 61)
    source: list[list[str]] = []
    target: list[list[str]] = []
    links: UnitLinks = []
    for _ in range(sentences):
        words = rng.choice(60, size=int(rng.integers(3, 12)), p=chance / chance.sum())
        order = np.arange(len(words))
        for n in range(0, len(words) - 1, 2):
            if rng.random() < 1 / 3:
                order[[n, n + 1]] = order[[n + 1, n]]
        said: list[str] = []
        own = []
        for place, n in enumerate(order.tolist()):
            if place % 2:
                said.append("le")
            own.append((n, len(said)))
            said.append(f"Ta{words[n]}")
        source.append([f"so{w}" for w in words])
        target.append(said)
        links.append(sorted(own))
    return source, target, links


def test_known_links_are_found() -> None:
    source, target, known = linked_sentences(400)
    found = align_words(source, target)
    right = sum(len(set(f) & set(k)) for f, k in zip(found, known, strict=True))
    assert right / sum(map(len, known)) > 0.97
    # What else is linked is "le", which has to go somewhere.
    others = [target[n][j] for n, own in enumerate(found) for i, j in own if (i, j) not in set(known[n])]
    assert sum(word != "le" for word in others) / sum(map(len, known)) < 0.05


def test_alignment_is_the_same_every_time_and_blind_to_case() -> None:
    source, target, _ = linked_sentences(100)
    found = align_words(source, target)
    assert align_words(source, target) == found
    assert align_words([[w.upper() for w in words] for words in source], target) == found


def test_blocks_do_not_matter() -> None:
    source, target, _ = linked_sentences(100)
    whole = align_words(source, target)
    assert len(alignment_cells(source, target, block_cells=500).blocks) > 5
    assert align_words(source, target, block_cells=500) == whole


def test_empty_and_endless_sentences_get_no_links() -> None:
    source, target, _ = linked_sentences(50)
    odd: list[tuple[list[str], list[str]]] = [([], ["a"]), (["a"], []), ([], []), (["a"] * 301, ["b"])]
    found = align_words([*source, *(s for s, _ in odd)], [*target, *(t for _, t in odd)])
    assert found[50:] == [[]] * 4
    assert found[:50] == align_words(source, target)
    assert align_words([], []) == []
    assert align_words([[]], [[]]) == [[]]


def test_a_single_pair_of_words_is_linked() -> None:
    assert align_words([["sun"]], [["inti"]]) == [[(0, 0)]]


def test_links_are_inside_their_sentences() -> None:
    source, target, _ = linked_sentences(60, seed=3)
    for s, t, own in zip(source, target, align_words(source, target), strict=True):
        assert all(0 <= i < len(s) and 0 <= j < len(t) for i, j in own)
        assert own == sorted(set(own))


def test_the_feature_and_the_pairs_of_one_sentence() -> None:
    cells = alignment_cells([["a", "b"]], [["x", "y", "A"]])
    (block,) = cells.blocks
    assert [block.row.tolist(), block.column.tolist()] == [[0, 0, 1, 1, 2, 2], [0, 1, 0, 1, 0, 1]]
    # -|i/2 - j/3|, i = 1, 2 for j = 1, 2, 3.
    np.testing.assert_allclose(block.feature, [-1 / 6, -2 / 3, -1 / 6, -1 / 3, -1 / 2, 0], atol=1e-7)
    pairs = [(int(cells.pair_source[p]), int(cells.pair_target[p])) for p in block.pair]
    assert pairs == [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (1, 2)]
    for back, other in ((False, [2, 2, 2]), (True, [3, 3])):
        shapes = cells.shapes(back)
        assert shapes.other.tolist() == other
        used = block.source_shape if back else block.target_shape
        assert used.tolist() == list(range(len(other)))
        rows = block.column if back else block.row
        for n in range(len(other)):
            np.testing.assert_allclose(shapes.feature[shapes.shape == n], block.feature[rows == n], atol=1e-7)


def test_the_tension_is_where_the_slope_is_zero() -> None:
    source, target, _ = linked_sentences(200)
    direction = _Direction(alignment_cells(source, target), back=False)
    expected = direction._expect()
    direction._fit_tension(expected)
    feature, shape = direction._shapes.feature, direction._shapes.shape

    def gain(tension: float) -> float:
        z = np.bincount(shape, np.exp(tension * feature))
        return tension * expected.feature - float(expected.places @ np.log(z))

    best = direction.tension
    assert gain(best) > max(gain(best - 0.05), gain(best + 0.05))
    assert direction.fitted().tension > 4


def test_expectations_add_up() -> None:
    source, target, _ = linked_sentences(50)
    for back, words in ((False, target), (True, source)):
        expected = _Direction(alignment_cells(source, target), back)._expect()
        assert expected.pairs.sum() + expected.empty.sum() == pytest.approx(sum(map(len, words)))
        assert expected.places.sum() == pytest.approx(expected.pairs.sum())


def test_the_dirichlet_means_of_two_words() -> None:
    # psi(n) for whole numbers: psi(n + 1) = psi(n) + 1/n. Counts 3 - a and 1 - a, a = PRIOR: exp(psi(3) - psi(4))
    # = exp(-1/3) and exp(psi(1) - psi(4)) = exp(-11/6).
    found = _dirichlet_means(np.array([3 - PRIOR, 1 - PRIOR]), np.zeros(2, np.int64))
    np.testing.assert_allclose(found, np.exp([-1 / 3, -11 / 6]), rtol=1e-6)


def test_symmetrisation_by_hand() -> None:
    # Both say (0,0). (1,1) is its neighbour, only forward, its words are free: added; from there (2,1) because source
    # word 2 is free, although target word 1 is not. (5,4) touches nothing and both its words are free: added last.
    # (0,4) stays out: by then its words are taken.
    forward = {(0, 0), (1, 1), (5, 4)}
    backward = {(0, 0), (2, 1), (0, 4)}
    assert symmetrized(forward, backward) == [(0, 0), (1, 1), (2, 1), (5, 4)]
    assert symmetrized(set(), set()) == []
    assert symmetrized({(2, 2)}, set()) == [(2, 2)]


def test_eflomal_finds_the_known_links_where_it_is_installed() -> None:
    pytest.importorskip("eflomal")
    source, target, known = linked_sentences(400)
    found = align_with_eflomal([*source, []], [*target, ["a"]])
    assert found.pop() == []
    right = sum(len(set(f) & set(k)) for f, k in zip(found, known, strict=True))
    assert right / sum(map(len, known)) > 0.95


def test_without_eflomal_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "eflomal", None)
    with pytest.raises(LexigraftError, match="pip install eflomal"):
        align_with_eflomal([["a"]], [["b"]])
