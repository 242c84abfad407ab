"""Finding strings of ids, choosing stretches of text around them, and replacing them."""

from __future__ import annotations

import random

import pytest

from fixtures.small_worlds import words
from lexigraft.core.methods.distillation import TwoReadings, padded
from lexigraft.core.methods.occurrences import Automaton, Found, Snippet, drop_overlaps, frame, gather, whole_pieces
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.tiny_tokenizers import tiny_tokenizer


def test_the_automaton_finds_what_a_plain_search_finds() -> None:
    draw = random.Random(0)
    patterns = sorted({tuple(draw.choices(range(3), k=draw.randint(1, 4))) for _ in range(25)})
    automaton = Automaton(patterns)
    for _ in range(50):
        ids = draw.choices(range(4), k=30)
        wanted = {
            Found(start, start + len(p), n)
            for n, p in enumerate(patterns)
            for start in range(len(ids))
            if tuple(ids[start : start + len(p)]) == p
        }
        found = automaton.find(ids)
        assert set(found) == wanted
        assert len(found) == len(wanted)


def test_of_overlapping_strings_the_longest_stays_then_the_leftmost() -> None:
    patterns = [(1, 2), (2, 3, 4), (4, 5), (5, 6)]
    found = drop_overlaps(Automaton(patterns).find([1, 2, 3, 4, 5, 6, 1, 2]))
    assert found == [Found(1, 4, 1), Found(4, 6, 3), Found(6, 8, 0)]
    assert drop_overlaps(Automaton([(1, 1)]).find([1, 1, 1])) == [Found(0, 2, 0)]


def test_a_replaced_string_stands_for_its_last_piece() -> None:
    snippet = Snippet((7, 1, 2, 8, 3, 4, 5), (Found(1, 3, 0), Found(4, 7, 2)))
    assert snippet.replaced(100) == ([7, 100, 8, 102], [0, 2, 3, 6])


def test_two_readings_compare_the_same_words() -> None:
    snippets = [Snippet((7, 1, 2, 8), (Found(1, 3, 0),)), Snippet((1, 2, 8), (Found(0, 2, 0),))]
    both = TwoReadings.of(snippets, 100, ([50], [51]), both_ways=False)
    assert both.teacher[0].tolist() == [[50, 7, 1, 2, 8, 51], [50, 1, 2, 8, 51, 0]]
    assert both.student[0].tolist() == [[50, 7, 100, 8, 51], [50, 100, 8, 51, 0]]
    assert both.teacher[1].tolist() == [[1] * 6, [1] * 5 + [0]]
    # From the new token on: places 2 3 4 of the first text (against 3 4 5), 1 2 3 of the second (against 2 3 4).
    assert both.student_positions.tolist() == [2, 3, 4, 6, 7, 8]
    assert both.teacher_positions.tolist() == [3, 4, 5, 8, 9, 10]
    everywhere = TwoReadings.of(snippets, 100, ([50], [51]), both_ways=True)
    assert everywhere.student_positions.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8]
    assert everywhere.teacher_positions.tolist() == [0, 1, 3, 4, 5, 6, 8, 9, 10]
    assert both.tokens == 6 + 5 + 5 + 4


def test_padding_is_on_the_right() -> None:
    ids, mask = padded([[5], [6, 7]])
    assert ids.tolist() == [[5, 0], [6, 7]]
    assert mask.tolist() == [[1, 0], [1, 1]]


def test_every_string_gets_a_snippet_before_any_gets_a_second() -> None:
    lines = [[1, 2, 0]] * 5 + [[3, 4, 0]]
    chosen = gather(lines, [(1, 2), (3, 4)], per_pattern=3, length=10, most=3)
    assert [s.found[0].pattern for s in chosen] == [0, 1, 0]
    assert len(gather(lines, [(1, 2), (3, 4)], per_pattern=3, length=10, most=99)) == 4


def test_a_snippet_counts_for_every_string_in_it() -> None:
    lines = [[1, 2, 0, 3, 4], [3, 4], [1, 2]]
    chosen = gather(lines, [(1, 2), (3, 4)], per_pattern=1, length=10, most=99)
    assert chosen == [Snippet((1, 2, 0, 3, 4), (Found(0, 2, 0), Found(3, 5, 1)))]


def test_reading_stops_when_every_string_was_seen_often_enough() -> None:
    def lines():
        yield [1, 2]
        yield [1, 2]
        raise AssertionError("read on")

    assert len(gather(lines(), [(1, 2)], per_pattern=2, length=9, most=9)) == 2


def test_long_lines_are_cut_around_the_string_and_never_through_one() -> None:
    line = [9, 9, 9, 9, 1, 2, 9, 3, 4, 9, 9]
    chosen = gather([line], [(1, 2), (3, 4)], per_pattern=1, length=4, most=9)
    # 4 tokens with "1 2" in the middle are 9 1 2 9; the next string is cut off, so it gets a snippet of its own.
    assert chosen == [Snippet((9, 1, 2, 9), (Found(1, 3, 0),)), Snippet((9, 3, 4, 9), (Found(1, 3, 1),))]
    assert gather([line], [(9, 1, 2)], per_pattern=1, length=2, most=9) == []
    assert gather([[1, 2, 9, 9, 9]], [(1, 2)], per_pattern=1, length=3, most=9) == [
        Snippet((1, 2, 9), (Found(0, 2, 0),))
    ]


@pytest.mark.parametrize(
    ("family", "before", "behind"),
    [
        ("byte_bpe", ["<s>"], ["</s>"]),
        ("wordpiece", ["[CLS]"], ["[SEP]"]),
        ("bpe_byte_fallback", ["<s>"], []),
        ("unigram_sentinels", [], ["</s>"]),
    ],
)
def test_the_frame_is_what_the_tokenizer_adds(family, before: list[str], behind: list[str]) -> None:
    vocabulary = Vocabulary.of(tiny_tokenizer(family))
    found = frame(vocabulary)
    assert [[vocabulary.tokens[i] for i in side] for side in found] == [before, behind]


def test_pieces_that_leave_something_out_are_no_pieces() -> None:
    vocabulary = words("sun", "##s", "so", "##up")
    named = {t: i for i, t in enumerate(vocabulary.tokens)}
    assert whole_pieces(vocabulary, b"suns", True) == [named["sun"], named["##s"]]
    assert whole_pieces(vocabulary, b"s", False) == [named["##s"]]
    assert whole_pieces(vocabulary, b"s", True) == []
    byte_level = Vocabulary.of(tiny_tokenizer("byte_bpe"))
    for starts in (True, False):
        pieces = whole_pieces(byte_level, "ñá".encode(), starts)
        assert b"".join(byte_level.surfaces.texts[i] for i in pieces) == "ñá".encode()
        assert bool(byte_level.starts[pieces[0]]) is starts
    unigram = Vocabulary.of(tiny_tokenizer("unigram"))
    assert whole_pieces(unigram, "the水".encode(), True) == []
