"""A learned mixture's first step, by hand; the working stands in the comments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fixtures.hand_cases import weights
from fixtures.idle_models import idle_llama
from fixtures.small_worlds import context, words
from lexigraft.core.data.corpus import Corpus
from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.strategy import InitContext
from lexigraft.core.models.tables import Role
from lexigraft.core.registry import make

SOURCE = words("sun", "moon", "##s", "the")
TARGET = words("sun", "moon", "##s", "the", "suns", "stars")
SUN, MOON, S, THE = 2, 3, 4, 5
SUNS, STARS = 6, 7
#        [PAD]   [UNK]   sun      moon    ##s     the
TABLE = [[9, 9], [7, 7], [2, 0], [1, 1], [0, 2], [2, -2]]
HEAD = [[0, 0], [0, 0], [0, -1], [1, 0], [0, 1], [0, 0]]
# "suns moon suns moon ...": 16 tokens, two sequences, one batch.
TEXT = ["suns moon"] * 8
ONE_STEP = {"sequence_length": 8, "batch_size": 2, "epochs": 1, "learning_rate": 0.1}


def asking(text: list[str] = TEXT, *, tied: bool = False) -> InitContext:
    tables: dict[Role, Any] = {Role.INPUT: TABLE} if tied else {Role.INPUT: TABLE, Role.OUTPUT: HEAD}
    return context(
        SOURCE, TARGET, tables, {Need.MODEL: idle_llama(TABLE, None if tied else HEAD), Need.TRAINING: Corpus.of(text)}
    )


@pytest.mark.parametrize("candidates", [0, 1])
def test_the_first_step_moves_every_weight_by_the_learning_rate_downhill(candidates: int) -> None:
    # suns = (sun + ##s) / 2 is read as [1, 1] and said with (0, 0); moon is read as [1, 1] too, so both see the same
    # logits: [PAD] [UNK] the suns stars 0 (stars' row of the head is drawn at random, small), sun -1, moon 1, ##s 1.
    #
    # Reading: where suns stands, moon is next. The slope of a state is sum_v p_v U_v - U_moon =
    # [p_moon - 1, p_##s - p_sun]. Through the norm only its part across [1, 1] arrives: (p_moon - 1 - p_##s + p_sun)
    # along [1, -1], and p_moon = p_##s, so it is p_sun - 1 < 0 times [1, -1]. The loss falls along sun [2, 0] and rises
    # along ##s [0, 2]; it falls steepest along the [2, -2], which is the one candidate and begins with 0.
    #
    # Saying: the slope of suns' row of the head is sum over places (p_suns - 1 where suns is next) [1, 1], with 7
    # places in each sequence, 3 of them before suns: 7 p_suns - 3 < 0 as p_suns < 3/7. The loss falls along ##s [0, 1]
    # and rises along sun [0, -1]. Moon [1, 0] is as steep as they are, ids of the same slope in the order of topk.
    #
    # Adam's first step is the learning rate, whatever the slope.
    ctx = asking()
    plan = make("strategy", "learned_mixture", {**ONE_STEP, "candidates": candidates}).plan(ctx)
    assert ctx.target_ids.tolist() == [SUNS, STARS]
    reading = {SUN: 0.6, S: 0.4} | ({THE: 0.1} if candidates else {})
    assert weights(plan[Role.INPUT], 0) == pytest.approx(reading, abs=1e-5)
    saying = weights(plan[Role.OUTPUT], 0)
    assert saying.pop(MOON, 0.1) == pytest.approx(0.1, abs=1e-5)
    assert saying == pytest.approx({SUN: 0.4, S: 0.6}, abs=1e-5)
    assert plan[Role.INPUT].covered.tolist() == [True, False]
    # Once to choose candidates, once to learn, and to measure before and behind: 16 tokens each.
    assert ctx.journal.tokens == 16 * (3 + (candidates > 0))
    uncovered, told = ctx.journal.notes
    assert "1 of 2 tokens" in uncovered
    before, after = (float(told.split(word)[1].split()[0]) for word in ("from ", "to "))
    assert after < before


def test_tied_tables_have_one_mixture() -> None:
    plan = make("strategy", "learned_mixture", ONE_STEP).plan(asking(tied=True))
    assert set(plan) == {Role.INPUT}


def test_what_the_text_does_not_hold_keeps_the_mixture_it_starts_with() -> None:
    plan = make("strategy", "learned_mixture", {**ONE_STEP, "epochs": 5}).plan(asking(["sun moon"] * 8))
    assert weights(plan[Role.INPUT], 0) == {SUN: 0.5, S: 0.5}
    # Said it is never, and that is learned: its row of the head is pushed away from what is read, [1, 1] and sun's.
    assert weights(plan[Role.OUTPUT], 0)[S] < 0.5


def test_no_steps_are_the_start() -> None:
    ctx = asking()
    plan = make("strategy", "learned_mixture", {"max_steps": 0}).plan(ctx)
    assert weights(plan, 0) == {SUN: 0.5, S: 0.5}
    assert ctx.journal.tokens == 0


def test_more_steps_bring_the_loss_further_down() -> None:
    ctx = asking()
    make("strategy", "learned_mixture", {**ONE_STEP, "epochs": 60}).plan(ctx)
    before, after = (float(ctx.journal.notes[-1].split(word)[1].split()[0]) for word in ("from ", "to "))
    # With free weights in two dimensions suns is told from all but what its row cannot beat: far below the start.
    assert after < before - 0.5
    assert np.isfinite(after)
