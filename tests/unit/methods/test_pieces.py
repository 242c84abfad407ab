"""Partitions, spellings, byte tokens and moments: what the strategies that need nothing stand on."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from fixtures.small_worlds import context, words
from lexigraft.core.grafting.plan import Mix
from lexigraft.core.linalg.moments import factor, mean_and_covariance, mean_and_deviation
from lexigraft.core.models.tables import Role
from lexigraft.core.registry import make
from lexigraft.core.tokenization.byte_tokens import byte_tokens
from lexigraft.core.tokenization.matching.segmentations import shares_of_best_partitions
from lexigraft.core.tokenization.matching.spelling import spelled, spelling, tokens_by_spelling
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.tiny_tokenizers import tiny_tokenizer
from unit.tokenization.test_alignment import sentencepiece


def listed(data: bytes, tokens: dict[bytes, int]) -> Iterator[list[bytes]]:
    """Every partition, one after the other."""
    if not data:
        yield []
    for cut in range(1, len(data) + 1):
        if data[:cut] in tokens:
            yield from ([data[:cut], *rest] for rest in listed(data[cut:], tokens))


def by_listing(data: bytes, tokens: dict[bytes, int]) -> dict[int, float]:
    every = list(listed(data, tokens)) if data else []
    if not every:
        return {}
    fewest = min(map(len, every))
    order = {n: sorted((len(p.replace(b" ", b"")) for p in parts), reverse=True) for n, parts in enumerate(every)}
    longest = max(order[n] for n, parts in enumerate(every) if len(parts) == fewest)
    best = [parts for n, parts in enumerate(every) if len(parts) == fewest and order[n] == longest]
    shares: dict[int, float] = {}
    for parts in best:
        for part in parts:
            shares[tokens[part]] = shares.get(tokens[part], 0) + 1 / (len(best) * fewest)
    return shares


@pytest.mark.parametrize("seed", range(40))
def test_counted_partitions_are_the_listed_ones(seed: int) -> None:
    draw = random.Random(seed)
    letters = "ab " if seed % 2 else "abc"
    pieces = {"".join(draw.choices(letters, k=draw.randint(1, 5))).encode() for _ in range(25)}
    tokens = {piece: n for n, piece in enumerate(sorted(pieces))}
    for _ in range(20):
        data = "".join(draw.choices(letters, k=draw.randint(0, 11))).encode()
        found = shares_of_best_partitions(data, tokens, max(map(len, tokens)))
        assert found == pytest.approx(by_listing(data, tokens))
        assert not found or math.fsum(found.values()) == pytest.approx(1)


def test_as_many_partitions_as_there_are_atoms_take_no_time() -> None:
    # 400 = 132 threes + 2 twos, 134 parts in C(134, 2) = 8,911 orders.
    tokens = {b"xx": 0, b"xxx": 1}
    started = time.perf_counter()
    found = shares_of_best_partitions(b"x" * 400, tokens, 3)
    assert found == pytest.approx({0: 2 / 134, 1: 132 / 134})
    assert time.perf_counter() - started < 2
    assert shares_of_best_partitions(b"x" * 399 + b"y", tokens, 3) == {}
    assert shares_of_best_partitions(b"", tokens, 3) == {}


@pytest.mark.parametrize("family", ["byte_bpe", "unigram_byte_fallback", "bpe_byte_fallback", "unigram", "wordpiece"])
def test_text_is_spelled_as_its_pieces_are(family: str) -> None:
    vocabulary = Vocabulary.of(tiny_tokenizer(family, "target"))
    own, known = spelled(vocabulary), tokens_by_spelling(vocabulary)
    assert not set(own) & vocabulary.special_ids
    assert vocabulary.specials["unk"] not in own
    for text, starts in ((b"wasikuna", True), (b"kuna", False), (b"mayu wasi", True)):
        pieces = vocabulary.pieces(text, starts)
        assert b"".join(own[i] for i in pieces) == spelling(vocabulary, text, starts)
        assert all(known[own[i]] == i for i in pieces)


def test_a_word_start_is_a_space_and_so_is_a_word_that_berts_pre_tokenizer_begins() -> None:
    vocabulary = words("a", "##b", ",")
    assert spelling(vocabulary, b"ab,a", True) == b" ab , a"
    assert spelling(vocabulary, b"ab", False) == b"ab"
    assert tokens_by_spelling(vocabulary) == {b" a": 2, b"b": 3, b" ,": 4, b",": 4}


def test_byte_tokens_by_family() -> None:
    level = Vocabulary.of(tiny_tokenizer("byte_bpe", "source"))
    known = byte_tokens(level)
    assert len(known) == 256
    assert (level.tokens[known[0x20]], level.tokens[known[0x61]], level.tokens[known[0xC3]]) == ("Ġ", "a", "Ã")
    fallback = Vocabulary.of(tiny_tokenizer("unigram_byte_fallback", "source"))
    known = byte_tokens(fallback)
    assert len(known) == 256
    assert fallback.tokens[known[0x61]] == "<0x61>"
    assert fallback.tokens[known[0x20]] == ("▁" if fallback.id_of("▁") is not None else "<0x20>")
    assert byte_tokens(Vocabulary.of(tiny_tokenizer("wordpiece", "source"))) == {}
    assert byte_tokens(Vocabulary.of(tiny_tokenizer("unigram", "source"))) == {}


@pytest.mark.parametrize("strategy", ["subword_mean", "position_exponential", "first_last", "char_length", "bil"])
def test_a_word_that_the_source_cannot_spell_is_left_to_the_fallback(strategy: str) -> None:
    source = sentencepiece("▁", "▁a", "a", "b")
    target = sentencepiece("▁ab", "▁ქართ", "▁क", "ქ", "▁aქ")
    tables = {role: [[float(i), 1.0] for i in range(source.size)] for role in (Role.INPUT, Role.OUTPUT)}
    ctx = context(source, target, tables)
    plan = make("strategy", strategy).plan(ctx)
    parts = [plan] if isinstance(plan, Mix) else list(plan.values())
    covered = {"▁ab": True, "▁ქართ": False, "▁क": False, "ქ": False, "▁aქ": True}
    for part in parts:
        assert {target.tokens[i]: bool(c) for i, c in zip(ctx.target_ids, part.covered, strict=True)} == covered


@pytest.mark.parametrize("budget", [1, 2**20])
def test_moments_do_not_depend_on_the_blocks(budget: int) -> None:
    table = torch.randn(300, 5, generator=torch.Generator().manual_seed(0)) * torch.tensor([1, 2, 3, 0.1, 1]) + 40
    ids = np.arange(7, 290, 3)
    mean, deviation = mean_and_deviation(table, ids, budget)
    torch.testing.assert_close(mean, table[ids].mean(0))
    torch.testing.assert_close(deviation, table[ids].std(0))
    centre, covariance = mean_and_covariance(table, budget)
    torch.testing.assert_close(centre, table.double().mean(0))
    torch.testing.assert_close(covariance, torch.cov(table.double().T, correction=0), atol=1e-5, rtol=1e-5)


def test_one_row_does_not_deviate() -> None:
    mean, deviation = mean_and_deviation(torch.tensor([[1.0, 2.0], [5.0, 6.0]]), np.array([1]), 2**20)
    assert (mean.tolist(), deviation.tolist()) == ([5, 6], [0, 0])


@pytest.mark.parametrize("rank", [0, 1, 3, 6])
def test_a_covariance_of_any_rank_has_a_factor(rank: int) -> None:
    half = torch.randn(6, rank, generator=torch.Generator().manual_seed(rank), dtype=torch.float64)
    covariance = half @ half.T
    root = factor(covariance)
    torch.testing.assert_close(root @ root.T, covariance)
