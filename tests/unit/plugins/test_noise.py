"""Noise: what becomes of words, in what shares, with marks kept on their letters."""

from __future__ import annotations

from typing import Any

import pytest

from lexigraft.core.data.annotated_text import AnnotatedText
from lexigraft.core.data.augmentation import augment, make_augmenters
from lexigraft.core.errors import LexigraftError
from lexigraft.plugins.augmenters.noise import Noise, _misspelled


def noisy(text: str, epoch: int = 0, **options: Any) -> str:
    return augment(AnnotatedText(text), [Noise(**options)], 0, epoch).document.text


def test_words_are_left_out_with_the_space_behind_them() -> None:
    assert noisy("one two,  three.", p=1, drop_share=1, swap_share=0) == ",  ."
    found = {noisy("one two three", epoch, p=0.3, drop_share=1, swap_share=0) for epoch in range(60)}
    assert {"one two three", "two three", "one three", "one two "} <= found


def test_a_word_changes_places_with_one_that_is_left_alone() -> None:
    found = {noisy("one two, three", epoch, p=0.3, drop_share=0, swap_share=1) for epoch in range(60)}
    assert {"two one, three", "one three, two"} <= found
    for text in found:  # the last word has no next one, nor has a word whose next one was drawn: they are misspelled
        assert len(text.split()) == 3
    assert "two one, three" not in {noisy("one two, three", e, p=1, drop_share=0, swap_share=1) for e in range(9)}


@pytest.mark.parametrize(
    ("how", "where", "misspelled"),
    [
        # Three letters, two places: 0.0 is the first, 0.9 the second. A third of the draws each: less, twice, order.
        (0.1, 0.0, "at"), (0.1, 0.9, "ct"), (0.5, 0.0, "ccat"),
        (0.5, 0.9, "caat"), (0.9, 0.0, "act"), (0.9, 0.9, "cta"),
    ],
)  # fmt: skip
def test_how_a_word_is_misspelled(how: float, where: float, misspelled: str) -> None:
    assert _misspelled("cat", how, where) == misspelled


def test_marks_stay_on_their_letters_and_a_single_letter_comes_twice() -> None:
    # दिल्ली is the letters दि, ल्, ली; the middle two change places.
    assert _misspelled("दिल्ली", 0.9, 0.9) == "दिलील्"
    assert _misspelled("e\u0301a", 0.9, 0.0) == "ae\u0301"
    assert _misspelled("京", 0.0, 0.0) == "京京"


def test_shares_are_as_said() -> None:
    # 2,000 words, a tenth of them left out for good: 200, with a standard deviation of sqrt(2000 * 0.1 * 0.9) = 13.4.
    left = noisy("word " * 2000, p=0.2, drop_share=0.5, swap_share=0).split()
    assert abs(len(left) - 1800) <= 5 * 13.4
    changed = sum(word != "word" for word in left)
    assert abs(changed - 200) <= 5 * 13.4


def test_noise_is_read_and_not_learned_by_default() -> None:
    for learned in (False, True):
        done = augment(AnnotatedText("one"), [Noise(p=1, drop_share=0, swap_share=0, loss_on_noise=learned)], 0, 0)
        assert bool(done.without_loss()) is not learned


def test_shares_beyond_all_are_refused() -> None:
    with pytest.raises(LexigraftError, match="add up to at most 1"):
        make_augmenters([{"noise": {"drop_share": 0.7, "swap_share": 0.4}}])
