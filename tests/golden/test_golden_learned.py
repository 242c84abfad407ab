"""Strategies that learn weights, on cases worked out by hand; the working stands in the comments."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from fixtures.small_worlds import context, words
from lexigraft.core.data.corpus import Corpus
from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.plan import Dense, Mix
from lexigraft.core.grafting.strategy import InitContext, Strategy
from lexigraft.core.methods.learned_weights import SparseHull
from lexigraft.core.methods.word2vec import (
    LINE_END,
    SkipGram,
    count_pairs,
    keep_probability,
    noise_shares,
    skipgram_loss,
)
from lexigraft.core.models.tables import Role
from lexigraft.core.registry import make

SOURCE = words("sun", "moon", "star", "##s")
TARGET = words("sun", "moon", "star", "inti", "suns", "killa")
SUN, MOON, STAR, S = 2, 3, 4, 5
INTI, SUNS, KILLA = 5, 6, 7
# [PAD] and [UNK] are long, so that whatever may be mixed would prefer them.
#         [PAD]         [UNK]         sun           moon          star          ##s
PLAIN = [[9, 9, 9, 9], [9, 9, 9, 9], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
BIAS = [9.0, 9.0, 1.0, 2.0, 3.0, 4.0]
TEXT = ["inti sun", "inti sun", "sun inti", "moon star"]


def asking(text: list[str], tables: dict[Role, object], seed: int = 0) -> InitContext:
    return context(SOURCE, TARGET, tables, {Need.TRAINING: Corpus.of(text)}, seed)


def word2vec(**fields: object) -> Strategy:
    given = {"subsampling": 0.0, "negatives": 1, "window": 1, "candidates": 4, "learning_rate": 0.1, **fields}
    return make("strategy", "constrained_word2vec", given)


def test_pairs_are_counted_both_ways_within_a_line() -> None:
    # "a b a | b" with a reach of 2: a-b, b-a and a-a to the right, the same to the left; the second line is alone.
    pairs = count_pairs(np.array([0, 1, 0, LINE_END, 1, LINE_END], np.int32), 3, 2)
    assert pairs.dense(np.arange(3)).tolist() == [[2, 2, 0], [2, 0, 0], [0, 0, 0]]
    assert pairs.totals.tolist() == [4, 2, 0]


def test_noise_is_occurrences_to_the_power_of_three_quarters() -> None:
    # 16^0.75 = 8 and 1^0.75 = 1: shares 8/9 and 1/9; what never occurs is never noise.
    np.testing.assert_allclose(noise_shares(np.array([16, 1, 0])), [8 / 9, 1 / 9, 0], rtol=1e-6)


def test_thinning_goes_by_the_share_of_the_text_not_by_the_raw_count() -> None:
    # 900 of 1000 tokens: f = 0.9, kept with sqrt(0.1 / 0.9) = 1/3. 100 of 1000: f = 0.1 is not above the threshold.
    counts = np.array([900, 100, 0])
    np.testing.assert_allclose(keep_probability(counts, 0.1)[:2], [1 / 3, 1])
    # The same text ten times over is thinned out alike. With the raw count in place of f and a threshold of 1, as in
    # the authors' RoBERTa code, sqrt(1/900) = 1/30 of the one and sqrt(1/100) = 1/10 of the other would be kept, and
    # less the longer the text.
    np.testing.assert_allclose(keep_probability(10 * counts, 0.1)[:2], [1 / 3, 1])
    assert np.sqrt(1 / counts[:2]).tolist() == pytest.approx([1 / 30, 1 / 10])
    np.testing.assert_allclose(keep_probability(counts, 0.0), 1)


def test_the_loss_of_one_pair_by_hand() -> None:
    # Two pairs and one expected draw of noise at s = 0: 3 log 2, slope 3/2 - 2 = -1/2 along the other's vector.
    w, v = torch.tensor([[0.0, 2.0]]), torch.tensor([[5.0, 0.0]])
    loss, of_w, of_v = skipgram_loss(w, v, torch.tensor([[2.0]]), torch.tensor([[1.0]]))
    assert loss == pytest.approx(3 * math.log(2))
    assert of_w.tolist() == [[-2.5, 0]]
    assert of_v.tolist() == [[0, -1]]


@pytest.mark.parametrize("tied", [True, False])
def test_slopes_are_those_of_finite_differences(tied: bool) -> None:
    draw = torch.Generator().manual_seed(0)
    source = torch.randn(5, 3, generator=draw, dtype=torch.float64)
    support = Mix.from_rows([([0, 1, 4], [0.5, 0.25, 0.25]), ([2, 3], [0.9, 0.1])])
    hulls = [SparseHull(source, support, torch.from_numpy(np.log(support.weights.astype(np.float64))).requires_grad_())]
    hulls += [] if tied else [SparseHull(source.flip(0), support, hulls[0].values.detach().clone().requires_grad_())]
    stream = np.random.default_rng(0).integers(-1, 4, 60).astype(np.int32)
    tables = [torch.randn(4, 3, generator=draw, dtype=torch.float64) for _ in hulls]
    task = SkipGram.of(stream, tables, window=2, negatives=3, subsampling=0.0, generator=draw)
    task = replace(task, noise=task.noise.double())

    def loss() -> float:
        for hull, table in zip(hulls, tables, strict=True):
            table[1:3] = hull.rows().detach()
        return task.gradients(np.arange(4))[0]

    loss()
    gradients = task.gradients(np.arange(4))[1]
    for hull, slope in zip(hulls, gradients, strict=True):
        hull.rows().backward(slope[1:3])
        assert hull.values.grad is not None
        for entry in range(len(hull.values)):
            ends = []
            for step in (1e-5, -1e-5):
                with torch.no_grad():
                    hull.values[entry] += step
                ends.append(loss())
                with torch.no_grad():
                    hull.values[entry] -= step
            assert float(hull.values.grad[entry]) == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=1e-8)


@pytest.mark.parametrize("support", ["candidates", "full"])
def test_a_token_that_always_stands_beside_one_old_token_becomes_that_token(support: str) -> None:
    # inti's only pairs are with sun, 3 each way, so with q the noise share of both (counts 3 3 1 1: q = 3^.75 /
    # (2 3^.75 + 2) = 0.35) and s = inti . sun the slope along sun is 6 ((1 + q) sigma(s) - 1) sun, and inti as its own
    # noise adds 3 q sigma(inti . inti) 2 inti. Rows of length 0.3 give at most s = 0.09, sigma = 0.52, and even there
    # 6 (1.35 * 0.52 - 1) + 6 * 0.35 * 0.52 = -0.69: down. Along every other row the loss rises: all weight goes to sun.
    short = (0.3 * torch.tensor(PLAIN)).tolist()
    ctx = asking(TEXT, {Role.INPUT: short, Role.BIAS: BIAS})
    plan = word2vec(support=support, epochs=60, learning_rate=0.5, rank=4).plan(ctx)
    assert isinstance(plan[Role.INPUT], Dense if support == "full" else Mix)
    row, bias = (_row(plan[role], ctx.table(role), 0) for role in (Role.INPUT, Role.BIAS))
    torch.testing.assert_close(row, torch.tensor([0.3, 0, 0, 0]), atol=0.01, rtol=0)
    assert float(bias) == pytest.approx(1, abs=0.05)


def _row(part: Mix | Dense, table: torch.Tensor, n: int) -> torch.Tensor:
    if isinstance(part, Dense):
        return part.rows[n]
    ids, weights = part.row(n)
    return torch.tensordot(torch.from_numpy(weights), table[ids.astype(np.int64)], 1)


def test_what_the_text_does_not_hold_keeps_its_start_or_stays_uncovered() -> None:
    # suns = sun + ##s, but no text has it; killa has neither pieces nor text.
    plan = word2vec().plan(asking(TEXT, {Role.INPUT: PLAIN}))[Role.INPUT]
    assert plan.covered.tolist() == [True, True, False]
    assert [a.tolist() for a in plan.row(1)] == [[SUN, S], [0.5, 0.5]]


def test_candidates_are_the_source_rows_along_which_the_loss_falls_fastest() -> None:
    # suns starts halfway between sun and ##s and stands beside moon: s = 0, so its slope is -1/2 moon + noise, and the
    # noise (suns itself among it) points along sun, ##s and star. Steepest down are moon, then what noise says nothing
    # about; never the long rows of [PAD] and [UNK].
    plan = word2vec(epochs=0, candidates=1).plan(asking(["suns moon", "moon suns"], {Role.INPUT: PLAIN}))[Role.INPUT]
    assert plan.row(1)[0].tolist() == [SUN, MOON, S]
    np.testing.assert_allclose(plan.row(1)[1], [0.45, 0.1, 0.45], atol=1e-6)
    four = word2vec(epochs=0, candidates=9).plan(asking(TEXT, {Role.INPUT: PLAIN}))[Role.INPUT]
    assert four.row(0)[0].tolist() == [SUN, MOON, STAR, S]
    np.testing.assert_allclose(four.row(0)[1], [0.25] * 4, atol=1e-6)


def test_untied_tables_have_a_mixture_each_and_the_bias_follows_the_head() -> None:
    head = [[x[1], x[0], x[3], x[2]] for x in PLAIN]
    plan = word2vec(epochs=20).plan(asking(TEXT, {Role.INPUT: PLAIN, Role.OUTPUT: head, Role.BIAS: BIAS}))
    assert plan[Role.BIAS] is plan[Role.OUTPUT]
    assert not np.array_equal(plan[Role.INPUT].row(0)[1], plan[Role.OUTPUT].row(0)[1])
    # inti . sun is now W_inti . V_sun with V_sun = (0,1,0,0): moon's row is the one that points there.
    assert plan[Role.INPUT].row(0)[0][plan[Role.INPUT].row(0)[1].argmax()] == MOON


def test_learning_is_counted_and_told() -> None:
    ctx = asking(TEXT, {Role.INPUT: PLAIN})
    word2vec(epochs=3).plan(ctx)
    # 8 tokens of text, three times, and once to choose candidates.
    assert ctx.journal.tokens == 8 * 4
    assert len(ctx.journal.notes) == 1
