"""Prose out of the installed packages' documentation."""

from __future__ import annotations

import pytest

from lexigraft.core.data.installed_docs import documentation_text, is_prose, sentences
from lexigraft.core.errors import LexigraftError


@pytest.mark.parametrize(
    "sentence",
    ["The result is the sum of the two arrays.", "If there is no such file, it will be made for you."],
)
def test_prose_stays(sentence: str) -> None:
    assert is_prose(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "Return the value.",
        "the result is the sum of the two arrays.",
        "The call foo(x) is the same as the other one.",
        "The value of my_name is taken from the file.",
        "Numpy Scipy Pandas Torch Click Rich Typer Flask.",
        "The result is the sum of the two arrays",
        "The numbers 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 of it are in the 1 2 3 4 5.",
        "See the page at https://example.org for all of the details.",
    ],
)
def test_code_and_fragments_go(sentence: str) -> None:
    assert not is_prose(sentence)


def test_sections_code_and_markup_of_a_docstring() -> None:
    text = """Fit the model.

    This is the first sentence of the text
    and it goes on to the next line. The argument `rate` is used in all of the steps.

    Parameters
    ----------
    x : array of shape (n,)
        The values that are given to the function by you.

    >>> The prompt is not a part of the prose here.
    """
    assert list(sentences(text)) == [
        "This is the first sentence of the text and it goes on to the next line.",
        "The argument rate is used in all of the steps.",
        "The values that are given to the function by you.",
    ]


def test_bounded_distinct_and_the_same_every_time() -> None:
    found = documentation_text(30_000, max_chars=40_000, packages=("numpy",))
    assert 30_000 <= sum(map(len, found)) <= 40_000
    assert len(set(found)) == len(found)
    assert all(map(is_prose, found))
    assert found == documentation_text(max_chars=40_000, packages=("numpy",))


def test_too_little_is_refused() -> None:
    with pytest.raises(LexigraftError, match="too little prose"):
        documentation_text(1, packages=("no-such-package-here",))


@pytest.mark.slow
def test_this_installation_holds_enough_for_the_demo() -> None:
    assert sum(map(len, documentation_text(3_000_000, max_chars=3_200_000))) >= 3_000_000
