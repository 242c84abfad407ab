"""Tokens of remembered words are the tokens of the text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, islice
from typing import Any

import pytest
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

from lexigraft.core.tokenization.word_cache import WordCache, word_by_word
from lexigraft.testing.sample_text import SOURCE_TEXT, TARGET_TEXT
from lexigraft.testing.tiny_models import FIXTURES, fixture

ODD = [
    "two  spaces", "a\ttab", " leading", "trailing ", "", " ", "\u00a0no-break\u00a0space", "x \u0308mark first",
    "e\u0301 \u0301", "zero\u200b width \u200bhere", "\u3000wide", "İSTANBUL ΣΊΣΥΦΟΣ straße", "日本 語 text", "🙂 ok",
    "a <mask> b", "a<mask>b </s>", "[MASK] <s>", "it's 1,000.50 (or so) …", "ﬁ ligature ½", "line\nbreak", "\ufeffx",
]  # fmt: skip
TEXT = [*ODD, *SOURCE_TEXT.splitlines(), *TARGET_TEXT.splitlines()]


def _plain(backend: Any, lines: list[str]) -> list[list[int]]:
    return [backend.encode(line, add_special_tokens=False).ids for line in lines]


def ids_only(ids: list[int], begins: bool) -> list[int]:
    return ids


def chained(words: Sequence[list[int]], counts: Sequence[int]) -> list[list[int]]:
    following = iter(words)
    return [list(chain.from_iterable(islice(following, count))) for count in counts]


def remembering(backend: Any, **bounds: int) -> WordCache[list[int], list[list[int]]]:
    return WordCache(backend, ids_only, chained, **bounds)


def cut(memory: WordCache[Any, list[list[int]]], lines: Iterable[str]) -> list[list[int]]:
    return list(chain(*memory.stream(lines)))


@pytest.mark.parametrize("name", [f.name for f in FIXTURES])
def test_words_give_the_tokens_of_the_lines(name: str) -> None:
    backend = fixture(name)[1].backend_tokenizer
    memory = remembering(backend)
    assert word_by_word(backend)
    wanted = _plain(backend, TEXT)
    for _ in range(2):
        assert cut(memory, TEXT) == wanted


@pytest.mark.parametrize("bound", ["most_words", "most_letters"])
def test_a_full_memory_starts_again(bound: str) -> None:
    backend = fixture("bert-tied-bias")[1].backend_tokenizer
    memory = remembering(backend, **{bound: 5})
    for line in TEXT:
        assert cut(memory, [line]) == _plain(backend, [line])
        assert len(memory._known) <= 5 + len(line)
    assert cut(memory, []) == []


@pytest.mark.parametrize("name", [f.name for f in FIXTURES])
def test_special_tokens_inside_words_are_no_ends_of_words(name: str) -> None:
    backend = fixture(name)[1].backend_tokenizer
    tokens = [token.content for token in backend.get_added_tokens_decoder().values()]
    lines = [f"some{token}where {token} a {token}b c{token}{token}" for token in tokens]
    assert cut(remembering(backend), lines) == _plain(backend, lines)


@pytest.mark.parametrize("remembered", [5, 50, 10_000])
def test_a_text_is_the_same_in_small_batches_and_in_another_form(remembered: int) -> None:
    backend = fixture("llama-bf16")[1].backend_tokenizer
    memory: WordCache[str, str] = WordCache(
        backend,
        lambda ids, begins: "|" * begins + "".join(f" {i}" for i in ids),
        lambda words, counts: "".join(words),
        most_words=remembered,
        letters_at_once=100,
    )
    text = [*TEXT, *reversed(TEXT)]
    wanted = "".join("|" + "".join(f" {i}" for i in ids) for ids in _plain(backend, text))
    assert "".join(memory.stream(iter(text))) == wanted


def test_lines_that_are_cut_whole_are_asked_for_again_and_take_no_memory() -> None:
    backend = fixture("llama-bf16")[1].backend_tokenizer
    memory = remembering(backend, letters_at_once=1)
    text = ["a  b", "", "a  b", "", "a  b"]
    assert cut(memory, text) == cut(memory, text) == _plain(backend, text)
    assert not memory._known


def _tokenizer(**parts: Any) -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "a": 1, "a b": 2, "b": 3}, unk_token="[UNK]"))
    for name, part in parts.items():
        setattr(tokenizer, name, part)
    return tokenizer


def test_tokenizers_whose_words_may_meet_are_left_alone() -> None:
    spaces = pre_tokenizers.WhitespaceSplit()
    assert word_by_word(_tokenizer(pre_tokenizer=spaces))
    assert not word_by_word(_tokenizer())
    assert not word_by_word(_tokenizer(pre_tokenizer=pre_tokenizers.Metaspace(split=False)))
    assert not word_by_word(_tokenizer(pre_tokenizer=pre_tokenizers.ByteLevel(use_regex=False)))
    assert not word_by_word(_tokenizer(pre_tokenizer=spaces, normalizer=normalizers.Replace(Regex("a b"), "c")))
    greedy = _tokenizer(pre_tokenizer=spaces)
    greedy.add_tokens([AddedToken("b", rstrip=True)])
    assert not word_by_word(greedy)
    several = _tokenizer(pre_tokenizer=spaces)
    several.add_tokens(["a b"])
    assert not word_by_word(several)


@pytest.mark.parametrize("kind", [None, {"single_word": True}, {"rstrip": True}])
def test_a_tokenizer_without_a_special_token_to_part_words_with(kind: dict[str, bool] | None) -> None:
    backend = _tokenizer(pre_tokenizer=pre_tokenizers.WhitespaceSplit())
    backend.add_special_tokens([] if kind is None else [AddedToken("[X]", special=True, **kind)])
    memory = remembering(backend)
    assert cut(memory, ["a b c", "b"]) == [[1, 3, 0], [3]]
    assert memory._mark is None


def test_a_tokenizer_whose_words_meet_is_given_whole_lines() -> None:
    backend = _tokenizer()
    assert cut(remembering(backend), ["a b", "b"]) == [[2], [3]]


def test_a_tokenizer_that_is_caught_is_given_whole_lines() -> None:
    whole = _tokenizer(pre_tokenizer=pre_tokenizers.Split(Regex("x"), "removed"))
    memory = remembering(whole)
    assert cut(memory, ["a", "a b"]) == [[1], [2]]
    assert cut(memory, ["b", "a"]) == [[3], [1]]


def test_a_text_goes_on_in_whole_lines_when_its_tokenizer_is_caught() -> None:
    whole = _tokenizer(pre_tokenizer=pre_tokenizers.Split(Regex("x"), "removed"))
    memory = remembering(whole, letters_at_once=1)
    memory._trusted = True
    assert cut(memory, ["a b", "a b", "b", "a b"]) == [[2], [2], [3], [2]]


def test_a_text_that_is_left_half_way_spoils_nothing() -> None:
    backend = fixture("llama-bf16")[1].backend_tokenizer
    memory = remembering(backend, letters_at_once=1)
    text = ["one two", "three four", "five"]
    half = memory.stream(text)
    next(half)
    half.close()
    assert cut(memory, text) == _plain(backend, text)
