"""The 13-gram check: sequences counted by hand, and against a direct search on random text."""

from __future__ import annotations

import random
import time

import pytest

from lexigraft.core.data.ngram_overlap import find_copied_text, refuse_copied_text
from lexigraft.core.errors import LexigraftError

LETTERS = "a b c d e f g h i j k l m n o p"  # 16 words


def test_sequences_are_counted_by_hand() -> None:
    # 16 words have 4 sequences of 13; the training line holds words 2 to 15, which are 2 of them.
    found = find_copied_text([LETTERS, "one two three four five six"], ["x b c d e f g h i j k l m n o y"])
    assert (found.ngrams, found.copied_ngrams, found.lines, found.copied_lines) == (4 + 1, 2, 2, (0,))
    assert found.share == 0.5


def test_twelve_words_in_a_row_are_not_enough() -> None:
    twelve = " ".join(LETTERS.split()[:12])
    assert find_copied_text([LETTERS], [f"{twelve} x", f"x {twelve}"]).copied_ngrams == 0
    assert find_copied_text([LETTERS], [f"{twelve} m"]).copied_ngrams == 1


def test_case_punctuation_and_unicode_form_do_not_matter() -> None:
    line = "Café, dos tres; «cuatro» cinco — seis!"
    assert find_copied_text([line], ["y cafe\u0301 DOS tres cuatro cinco seis z"]).copied_lines == (0,)


def test_a_short_line_is_one_sequence_and_the_shortest_are_not_looked_for() -> None:
    found = find_copied_text(["a b c d", "a b c d e", "", "a b c d f"], ["x a b c d e y", "a b c d"])
    assert (found.lines, found.copied_lines, found.short_lines) == (2, (1,), 2)


def test_sequences_do_not_go_over_the_ends_of_lines() -> None:
    halves = ["a b c d e f g h", "i j k l m n o p"]
    assert find_copied_text([LETTERS], halves).copied_ngrams == 0
    assert find_copied_text(halves, [LETTERS]).copied_lines == (0, 1)


def test_each_character_of_a_script_without_spaces_is_a_word() -> None:
    assert find_copied_text(["我们在学校学习语言。"], ["昨天我们在学校学习语言了"]).copied_lines == (0,)
    assert find_copied_text(["我们在学校学习语言。"], ["昨天我们在学校教语言了"]).copied_lines == ()


def test_lines_keep_their_places_in_a_text_of_many_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lexigraft.core.data.ngram_overlap._BATCH_CHARACTERS", 40)
    lines = [f"{LETTERS} {n}" if n % 3 else "..." for n in range(20)]
    found = find_copied_text([*lines, "q r s t u"], [f"{LETTERS} 4", "x", f"{LETTERS} 5", "q r s t u"])
    # The four sequences without the number are in all lines; the last line is a sequence of its own.
    assert found.copied_lines == (*(n for n in range(20) if n % 3), 20)
    assert found.short_lines == 7


def test_nothing_in_nothing() -> None:
    assert find_copied_text([], []).share == 0
    assert find_copied_text([LETTERS], []).copied_ngrams == 0
    assert find_copied_text([], [LETTERS]).lines == 0
    assert find_copied_text(["!!! ???", "\x00 \x00"], ["!!! ???"]).short_lines == 2


@pytest.mark.parametrize("seed", range(5))
def test_random_text_against_a_direct_search(seed: int) -> None:
    draw = random.Random(seed)
    text = lambda lines: [" ".join(draw.choices("ab", k=draw.randrange(12))) for _ in range(lines)]
    evaluation, training = text(60), text(60)

    def windows(line: str, n: int) -> set[tuple[str, ...]]:
        words = line.split()
        return {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}

    own = [windows(line, min(7, len(line.split()))) if len(line.split()) >= 5 else set() for line in evaluation]
    there = {w for line in training for n in (5, 6, 7) for w in windows(line, n)}
    found = find_copied_text(evaluation, training, ngram=7)
    assert found.copied_lines == tuple(i for i, grams in enumerate(own) if grams & there)
    assert (found.ngrams, found.copied_ngrams) == (len(set().union(*own)), len(set().union(*own) & there))
    assert 0 < len(found.copied_lines) < found.lines


def test_evaluation_text_in_training_text_is_refused_with_the_line() -> None:
    where = {"evaluation_name": "test.txt", "training_name": "spa.txt"}
    with pytest.raises(LexigraftError, match=r"1 of 2 evaluation lines .* test\.txt and spa\.txt.* line 2: 'a b"):
        refuse_copied_text(["one two three four five", LETTERS], iter([f"x {LETTERS}"]), **where)
    assert refuse_copied_text([LETTERS], ["nothing of it"], **where).copied_lines == ()


def test_five_megabytes_take_seconds() -> None:
    draw = random.Random(0)
    words = ["".join(draw.choices("abcdefgh", k=6)) for _ in range(50_000)]
    training = [" ".join(draw.choices(words, k=15)) for _ in range(9_700)] * 5
    assert sum(map(len, training)) > 5e6
    evaluation = [" ".join(draw.choices(words, k=k)) for k in range(5, 25) for _ in range(50)] + training[:2]
    start = time.process_time()
    found = find_copied_text(evaluation, training)
    assert time.process_time() - start < 10
    assert found.copied_lines == (1000, 1001)
