"""The made language: invertible, injective, regular, seeded."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexigraft.core.config.recipe import DictionarySettings
from lexigraft.core.data.cloned_language import clone_language
from lexigraft.core.data.dictionary import load_dictionary

TEXT = [
    "The dog walks to the old house, and the dogs walked home.",
    "I saw NASA's 3 rockets (version 2.0b) in the iPhone app!",
    "A quick walk quickly helped; trying again, we try and tried.",
    "Größe, naïve, straße: STRASSE and m² stay\tput.",
    "the the the of of a",
]


@pytest.mark.parametrize("reorder", [False, True])
@pytest.mark.parametrize("suffixes", [False, True])
@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_inverting_gives_the_source_back(seed: int, suffixes: bool, reorder: bool) -> None:
    clone = clone_language(TEXT, seed=seed, suffixes=suffixes, reorder=reorder)
    assert [clone.invert(line) for line in clone.lines] == TEXT
    assert all(mine != source for mine, source in zip(clone.lines, TEXT, strict=True))


@given(st.lists(st.text(max_size=60), max_size=8), st.integers(0, 2**31), st.booleans())
@settings(max_examples=150, deadline=None)
def test_any_text_is_invertible(lines: list[str], seed: int, reorder: bool) -> None:
    clone = clone_language(lines, seed=seed, reorder=reorder)
    assert [clone.invert(line) for line in clone.lines] == lines


def test_no_form_repeats_or_is_a_source_word() -> None:
    words = [f"{a}{b}{c}" for a in "bcdfghklmnprst" for b in "aeiou" for c in "bdgklmnprst"]
    clone = clone_language([" ".join(words)], seed=5)
    forms = list(clone.forward.values())
    assert len(set(forms)) == len(forms) == len(words)
    assert not set(forms) & set(words)


def test_digits_punctuation_and_casing_stay() -> None:
    clone = clone_language(TEXT, seed=7)
    for source, target in zip(TEXT, clone.lines, strict=True):
        assert re.sub(r"[^\W\d_]+", "w", source) == re.sub(r"[^\W\d_]+", "w", target)
    first = clone.lines[0].split()[0]
    assert first.istitle()
    assert first.lower() == clone.forward["the"]
    assert clone.forward["nasa"].upper() in clone.lines[1]
    assert "iPhone" in clone.lines[1]


def test_suffixes_are_regular_on_known_stems() -> None:
    clone = clone_language(TEXT, seed=2)
    form = clone.forward
    plural = form["dogs"].removeprefix(form["dog"])
    past = form["walked"].removeprefix(form["walk"])
    assert form["walks"] == form["walk"] + plural
    assert form["tried"] == form["try"] + past
    assert form["quickly"].startswith(form["quick"])
    assert not clone_language(TEXT, seed=2, suffixes=False).forward["dogs"].startswith(form["dog"])


def test_frequent_words_are_short() -> None:
    words = [f"w{a}{b}{c}" for a in "aeiou" for b in "bcdfghklmnprstvz" for c in "aeioubcdfgklmn"]
    clone = clone_language([" ".join(w for i, w in enumerate(words) for _ in range(1 + 2000 // (i + 1)))], seed=0)
    lengths = [len(target) for _, target in clone.dictionary.pairs]
    assert np.mean(lengths[:30]) + 1 < np.mean(lengths[200:400]) < np.mean(lengths[-100:])


def test_links_count_occurrences() -> None:
    clone = clone_language(TEXT, seed=1)
    counts = dict(zip(clone.links.pairs, clone.links.weights or (), strict=True))
    assert counts[("the", clone.forward["the"])] == 7
    assert clone.links.pairs == clone.dictionary.pairs
    assert clone.dictionary.weights is None


def test_seeds_decide_and_global_randomness_is_left_alone() -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    assert clone_language(TEXT, seed=1).lines == clone_language(TEXT, seed=1).lines
    assert clone_language(TEXT, seed=1).lines != clone_language(TEXT, seed=2).lines
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_files_read_back(tmp_path: Path) -> None:
    clone = clone_language(TEXT, seed=1)
    files = clone.write(tmp_path / "clone")
    assert files["target"].read_text(encoding="utf-8").splitlines() == list(clone.lines)
    assert load_dictionary(DictionarySettings(path=[str(files["links"])])) == clone.links
    assert load_dictionary(DictionarySettings(path=[str(files["dictionary"])])) == clone.dictionary
