"""Base forms with offsets, and states at the last piece, worked out by hand; the working stands in the comments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from fixtures.hand_cases import close, weights
from fixtures.idle_models import idle_llama
from fixtures.small_worlds import context, words
from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.strategy import InitContext
from lexigraft.core.models.tables import Role
from lexigraft.core.registry import make

pytestmark = pytest.mark.usefixtures("one_thread")

# --- form_offset ------------------------------------------------------------------------------------------------------

#                [PAD]   [UNK]   sun     suns    moon    moons   star    Sun     ##on
FORMS = words("sun", "suns", "moon", "moons", "star", "Sun", "##on")
FORM_ROWS = [[0, 9], [9, 0], [1, 0], [2, 1], [0, 2], [3, 2], [5, 5], [1, 7], [8, 8]]
FORM_BIAS = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
NEW_FORMS = words("sun", "stars", "Moon", "planets", "STAR", "starry")


def forms(**fields: Any) -> tuple[InitContext, dict[Role, Any]]:
    doubled = (2 * np.array(FORM_ROWS)).tolist()
    ctx = context(FORMS, NEW_FORMS, {Role.INPUT: FORM_ROWS, Role.OUTPUT: doubled, Role.BIAS: FORM_BIAS})
    return ctx, make("strategy", "form_offset", fields).plan(ctx)


def test_a_new_form_is_its_base_plus_what_the_change_does_to_others() -> None:
    # "+s" turns sun (1,0) into suns (2,1) and moon (0,2) into moons (3,2): offsets (1,1) and (3,0), mean (2, 0.5).
    # stars = star + (2, 0.5) = (7, 5.5), in the head twice that, with star's bias. A capital has one pair (sun, Sun),
    # too few; planet is not known; nothing else ends in "ry".
    ctx, plan = forms(min_pairs=2)
    assert plan[Role.INPUT].covered.tolist() == [True, False, False, False, False]
    close(plan[Role.INPUT].rows[0], [7, 5.5])
    close(plan[Role.OUTPUT].rows[0], [14, 11])
    close(plan[Role.BIAS].rows[0], 6)
    assert weights(plan[Role.INPUT], 0) == {6: 1.0}
    assert ctx.journal.notes == ["form_offset: 1 tokens by 1 changes of form"]
    # One pair is enough: Moon = moon + (Sun - sun) = (0,2) + (0,7).
    _, plan = forms(min_pairs=1)
    assert plan[Role.INPUT].covered.tolist() == [True, True, False, False, False]
    close(plan[Role.INPUT].rows[1], [0, 9])


def test_the_nearest_base_counts() -> None:
    # baked is bake +d or bak +ed; both changes have two pairs, and the short one is taken: bake + (0, 1).
    source = words("bake", "bak", "walk", "walke", "walked", "talk", "talke", "talked")
    rows = [[0, 0], [0, 0], [5, 0], [7, 0], [1, 0], [1, 1], [1, 2], [2, 0], [2, 1], [2, 2]]
    ctx = context(source, words("baked"), {Role.INPUT: rows})
    close(make("strategy", "form_offset", {"min_pairs": 2}).plan(ctx)[Role.INPUT].rows, [[5, 1]])
    none = make("strategy", "form_offset", {"min_pairs": 2, "longest_suffix": 0}).plan(ctx)
    assert not none[Role.INPUT].covered.any()


def test_a_word_start_is_a_change_too() -> None:
    # sun is "##sun" plus moon - "##moon": (4,4) + (1,-1). Fewer letters than shortest_base do not matter here.
    source = words("moon", "##moon", "##sun")
    ctx = context(source, words("sun"), {Role.INPUT: [[0, 0], [0, 0], [2, 0], [1, 1], [4, 4]]})
    close(make("strategy", "form_offset", {"min_pairs": 1, "shortest_base": 9}).plan(ctx)[Role.INPUT].rows, [[5, 3]])


# --- detokenized ------------------------------------------------------------------------------------------------------

WORDS = words("##x", "a", "b", "c", "d", "e", "ax", "bx", "cx", "dx")
AX = 8
TARGET = words("ax", "ex", "exx", "fx")
R = 2**0.5
#         [PAD]   [UNK]    ##x       a       b       c        d       e        ax          bx          cx           dx
ROWS = [[9, 9], [9, -9], [0, -R], [R, 0], [0, R], [-R, 0], [1, 1], [1, -1], [1, 2 * R], [1 + R, 0], [1, -2 * R], [2, 2]]
SETTINGS = {"penalty": 1e-6, "shortest": 2, "min_words": 4, "heldout": 0.25}


def assembling(layer: int, head: Any = None) -> torch.nn.Module:
    """Two layers, of which one adds to every token the mean of all tokens up to it, each over its root mean square."""
    model = idle_llama(ROWS, head, layers=2)
    attention = model.model.layers[layer - 1].self_attn
    with torch.no_grad():
        attention.q_proj.weight.zero_()
        attention.v_proj.weight.copy_(torch.eye(2))
        attention.o_proj.weight.copy_(torch.eye(2))
    return model


def detokenized_context(model: torch.nn.Module, head: Any = None) -> InitContext:
    tables = {Role.INPUT: ROWS, Role.BIAS: list(range(len(ROWS))), **({Role.OUTPUT: head} if head else {})}
    return context(WORDS, TARGET, tables, {Need.MODEL: model})


@pytest.mark.parametrize("layer", [1, 2])
def test_a_word_is_read_off_the_state_in_which_its_pieces_have_come_together(layer: int) -> None:
    # ax, bx, cx and dx all end in ##x, so without their first piece nothing tells them apart. All pieces have length
    # sqrt 2, root mean square 1: behind the layer that mixes, the state is x + (first + x) / 2. The words' rows are
    # (u2 + 1, 2 u1) for a first piece (u1, u2): an affine map of that state. So ex, of (1, -1), is (0, 2). exx ends in
    # another ##x, which changes its state to x + (e + 2 x) / 3 = x + (f + x) / 2 with f = (2 e + x) / 3 =
    # (2, -2 - R) / 3, so its row is (1 - (2 + R) / 3, 4 / 3). No pieces spell fx.
    head = (3 * np.array(ROWS)).tolist()
    ctx = detokenized_context(assembling(layer, head), head)
    plan = make("strategy", "detokenized", SETTINGS).plan(ctx)
    assert plan[Role.INPUT].covered.tolist() == [True, True, False]
    torch.testing.assert_close(
        plan[Role.INPUT].rows[:2], torch.tensor([[0, 2], [1 - (2 + R) / 3, 4 / 3]]), atol=1e-3, rtol=0
    )
    torch.testing.assert_close(plan[Role.OUTPUT].rows[0], torch.tensor([0.0, 6.0]), atol=1e-3, rtol=0)
    close(plan[Role.BIAS].rows[:2], [AX + 1.5] * 2)
    said = f"rows from the states after layer {layer}, whose map explains 100.0% of the variance of 1 held-out words"
    assert len(ctx.journal.notes) == 2
    assert all(said in note for note in ctx.journal.notes)


def test_too_few_known_words_cover_nothing_and_too_few_layers_find_nothing() -> None:
    ctx = detokenized_context(assembling(2))
    assert not make("strategy", "detokenized", {**SETTINGS, "min_words": 5}).plan(ctx)[Role.INPUT].covered.any()
    make("strategy", "detokenized", {**SETTINGS, "layers": 0.5}).plan(ctx)
    (note,) = ctx.journal.notes
    assert "after layer 1" in note
    assert "explains 0.0%" in note


def test_a_token_of_one_piece_takes_that_pieces_row() -> None:
    from tokenizers import normalizers

    source = words(*WORDS.tokens[2:])
    source.tokenizer.backend_tokenizer.normalizer = normalizers.Lowercase()
    ctx = context(source, words("AX"), {Role.INPUT: ROWS}, {Need.MODEL: assembling(1)})
    assert make("strategy", "detokenized", SETTINGS).plan(ctx)[Role.INPUT].rows.tolist() == [
        pytest.approx(ROWS[AX], abs=1e-6)
    ]


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("form_offset", {"min_pairs": 0}),
        ("form_offset", {"longest_suffix": -1}),
        ("detokenized", {"layers": 0}),
        ("detokenized", {"penalty": 0}),
        ("detokenized", {"heldout": 1}),
        ("detokenized", {"most_pieces": 1}),
        ("detokenized", {"min_words": 2}),
        ("one_to_one", {"window": 0}),
        ("one_to_one", {"pivots": -1}),
    ],
)
def test_impossible_fields_are_refused(name: str, fields: dict[str, Any]) -> None:
    with pytest.raises(LexigraftError, match="must"):
        make("strategy", name, fields)
