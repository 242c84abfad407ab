"""An ensemble's first step, by hand; the working stands in the comments."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from fixtures.idle_models import idle_llama
from fixtures.small_worlds import context, words
from lexigraft.core.data.corpus import Corpus
from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.rows import build_rows
from lexigraft.core.grafting.strategy import InitContext
from lexigraft.core.models.tables import Role
from lexigraft.core.registry import make

SOURCE = words("sun", "moon", "##s", "the")
TARGET = words("sun", "moon", "##s", "the", "suns", "stars")
SUNS, STARS = 0, 1
#        [PAD]   [UNK]   sun      moon    ##s     the
TABLE = [[9, 9], [7, 7], [2, 0], [1, 1], [0, 2], [2, -2]]
HEAD = [[0, 0], [0, 0], [0, -1], [1, 0], [0, 1], [0, 0]]
TEXT = ["suns moon"] * 8
ONE_STEP: dict[str, Any] = {"sequence_length": 8, "batch_size": 2, "epochs": 1, "learning_rate": 0.1}
MEMBERS = ["subword_mean", "mean"]


def asking(text: list[str] = TEXT) -> InitContext:
    tables: dict[Role, Any] = {Role.INPUT: TABLE, Role.OUTPUT: HEAD}
    return context(SOURCE, TARGET, tables, {Need.MODEL: idle_llama(TABLE, HEAD), Need.TRAINING: Corpus.of(text)})


def rows_of(name: str) -> torch.Tensor:
    """The input rows of "suns" and "stars" that one member makes alone."""
    return build_rows([make("strategy", name)], asking()).tables[Role.INPUT][[6, 7]]


def ensemble(**fields: Any) -> tuple[torch.Tensor, list[str]]:
    ctx = asking()
    plan = make("strategy", "ensemble", {"members": MEMBERS, **fields}).plan(ctx)
    assert plan[Role.INPUT].covered.tolist() == [True, True]
    return plan[Role.INPUT].rows, ctx.journal.notes


def test_without_steps_members_count_equally_and_only_where_they_cover() -> None:
    # suns = (sun + ##s) / 2 = [1, 1] by its pieces; no pieces make stars, so that it is the mean alone.
    rows, _ = ensemble(max_steps=0)
    mean = rows_of("mean")
    torch.testing.assert_close(rows[SUNS], (torch.tensor([1.0, 1.0]) + mean[SUNS]) / 2)
    torch.testing.assert_close(rows[STARS], mean[STARS])


def test_the_first_step_moves_weight_to_the_member_that_lowers_the_loss() -> None:
    # Where suns stands, moon is next. Moon's row of the head is [1, 0]: the loss falls as the state turns toward
    # [1, 0], that is along n = [x2, -x1] at a state x. With x between [1, 1] and the mean row m (m1 > m2 > 0), m lies
    # on n's side: m1 / m2 > 1. So the mean gains: Adam's first step is the learning rate, values -0.1 and 0.1, weights
    # 1 / (1 + e^0.2) = 0.4502 and 0.5498.
    mean = rows_of("mean")[SUNS]
    assert mean[0] > mean[1] > 0
    rows, notes = ensemble(**ONE_STEP)
    torch.testing.assert_close(rows[SUNS], 0.450166 * torch.tensor([1.0, 1.0]) + 0.549834 * mean, atol=1e-4, rtol=0)
    before, after = (float(notes[0].split(word)[1].split()[0]) for word in ("from ", "to "))
    assert after < before
    assert notes[1] == "ensemble: mean weights of input rows: subword_mean 0.23, mean 0.77", (
        "0.4502 of suns, 0 of stars"
    )


@pytest.mark.parametrize("groups", ["one", "frequency", "tokens"])
def test_what_is_not_in_the_text_follows_its_group(groups: str) -> None:
    # suns occurs eight times and stars never: stars keeps equal weights, or takes those of all.
    ctx = context(
        SOURCE,
        words("sun", "moon", "##s", "the", "suns", "moons"),
        {Role.INPUT: TABLE, Role.OUTPUT: HEAD},
        {Need.MODEL: idle_llama(TABLE, HEAD), Need.TRAINING: Corpus.of(TEXT)},
    )
    plan = make("strategy", "ensemble", {"members": MEMBERS, "groups": groups, **ONE_STEP}).plan(ctx)
    mean = rows_of("mean")[SUNS]
    share = 0.549834 if groups == "one" else 0.5
    moons = (1 - share) * torch.tensor([0.5, 1.5]) + share * mean
    torch.testing.assert_close(plan[Role.INPUT].rows[1], moons, atol=1e-4, rtol=0)


def test_a_member_without_its_inputs_is_left_out() -> None:
    ctx = asking()
    make("strategy", "ensemble", {"members": ["focus", "mean"]}).plan(ctx)
    assert ctx.journal.notes[0] == "ensemble left out what lacks an input: focus (target_vectors)"
    with pytest.raises(LexigraftError, match="can use none of its strategies"):
        make("strategy", "ensemble", {"members": ["focus"]}).plan(asking())


@pytest.mark.parametrize(
    "fields",
    [{"members": []}, {"members": ["mean", "mean"]}, {"members": ["keep"]}, {"members": ["poor"]}, {"groups": "x"},
     {"members": ["ensemble"]}, {"learning_rate": 0}, {"max_steps": -1}],
)  # fmt: skip
def test_impossible_fields_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(LexigraftError):
        make("strategy", "ensemble", fields)
