"""How vocabularies split numbers: every scheme on a tokenizer made for it, and the sentence when two differ."""

from __future__ import annotations

from typing import Any

import pytest
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from fixtures.small_worlds import words
from lexigraft.core.grafting.pipeline import graft_model
from lexigraft.core.registry import make
from lexigraft.core.tokenization.number_splitting import NUMBERS, digit_scheme, digit_warning
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.contract import FIXTURE_NAMES, cached_fixture
from lexigraft.testing.tiny_tokenizers import tiny_tokenizer

FROM_THE_LEFT, FROM_THE_RIGHT = r"\d{1,3}", r"\d{1,3}(?=(?:\d{3})*(?!\d))"


def numbers(*before: Any, longest: int = 3) -> Vocabulary:
    """A vocabulary of all numbers up to a length, behind the given pre-tokenizers."""
    every = [str(n).zfill(length) for length in range(1, longest + 1) for n in range(10**length)]
    listed = ["<unk>", *every, *[n for n in NUMBERS if len(n) > longest]]
    backend = Tokenizer(models.WordLevel({t: i for i, t in enumerate(listed)}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Sequence([*before] or [pre_tokenizers.Whitespace()])
    return Vocabulary.of(PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>"))


def split(pattern: str) -> Any:
    return pre_tokenizers.Split(Regex(pattern), "isolated")


@pytest.mark.parametrize(
    ("vocabulary", "name", "shown"),
    [
        (numbers(pre_tokenizers.Digits(individual_digits=True)), "digit by digit", "2|0|2|1"),
        (numbers(split(FROM_THE_LEFT)), "groups of up to 3, from the left", "202|1"),
        (numbers(split(FROM_THE_RIGHT)), "groups of up to 3, from the right", "2|021"),
        (numbers(split(r"\d{1,2}"), longest=2), "groups of up to 2, from the left", "20|21"),
        (numbers(), "whole numbers", "2021"),
        (words("2", "##0", "##2", "20", "##21"), "some digits are unknown to it", "20|21"),
        (Vocabulary.of(tiny_tokenizer("byte_bpe", "source")), "digit by digit", "2|0|2|1"),
        (Vocabulary.of(tiny_tokenizer("byte_bpe", "target")), "pieces learned from text", "202|1"),
    ],
    ids=str,
)
def test_each_scheme_is_told_from_the_others(vocabulary: Vocabulary, name: str, shown: str) -> None:
    scheme = digit_scheme(vocabulary)
    assert (scheme.name, scheme.shown(NUMBERS.index("2021"))) == (name, shown)
    assert digit_warning(vocabulary, vocabulary) is None


def test_a_difference_is_said_in_one_sentence() -> None:
    source, target = numbers(split(r"\d{1,2}"), longest=2), numbers(pre_tokenizers.Digits(individual_digits=True))
    said = digit_warning(source, target)
    assert said is not None
    assert said.startswith(
        "digits: the source splits 2021 as 20|21 (groups of up to 2, from the left), the target as 2|0|2|1 (digit by "
        "digit): arithmetic may suffer"
    )
    assert "\n" not in said


def test_the_example_is_a_number_that_is_split_differently() -> None:
    # Both alignments split 2021 apart, but one- to three-digit numbers alike.
    said = digit_warning(numbers(split(FROM_THE_LEFT)), numbers(split(FROM_THE_RIGHT)))
    assert said is not None
    assert "202|1" in said
    assert "2|021" in said


def test_learned_pieces_that_mostly_differ_are_counted() -> None:
    pairs = split(r"\d{1,2}(?=\d{3}$)|\d{1,3}$|\d")
    said = digit_warning(numbers(pairs), numbers(split(r"\d(?=\d{4}$)|\d{4}$|\d"), longest=4))
    assert said is not None
    assert "sample numbers differ, both are pieces learned from text" in said


def test_learned_pieces_that_mostly_agree_are_let_pass() -> None:
    target = Vocabulary.of(tiny_tokenizer("byte_bpe", "target"))
    other = Vocabulary.of(tiny_tokenizer("bpe_byte_fallback", "target"))
    assert digit_scheme(target).name == digit_scheme(other).name == "pieces learned from text"
    assert digit_warning(target, other) is None


def test_a_graft_notes_the_difference_and_a_kept_tokenizer_notes_none() -> None:
    where = next(g for name in FIXTURE_NAMES if digit_warning((g := cached_fixture(name)).source, g.target) is not None)
    said = digit_warning(where.source, where.target)
    for name, notes in (("mean", [said]), ("keep", [])):
        grafted = graft_model(where.folders.source, where.target, [make("strategy", name)], {})
        assert [note for note in grafted.facts["notes"] if note.startswith("digits")] == notes
