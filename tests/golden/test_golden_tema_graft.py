"""TEMA's step inside the source body, on cases worked out by hand; the working stands in the comments."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from fixtures.small_worlds import context, vectors, words
from lexigraft.core.data.dictionary import Dictionary
from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.rows import Rows, build_rows
from lexigraft.core.models.tables import Role
from lexigraft.core.registry import make

SOURCE = words("sun", "moon", "dog", "inti", "lima", "##s")
# inti and lima are shared; the new words follow.
TARGET = words("inti", "lima", "allqu", "killa", "wasi")
INTI, LIMA, ALLQU, KILLA, WASI = 2, 3, 4, 5, 6
#        [PAD]   [UNK]   sun     moon    dog     inti    lima    ##s
TABLE = [[9, 9], [9, 9], [4, 0], [0, 2], [3, 1], [5, 1], [0, 6], [1, 5]]
HEAD = [[2 * x, -y] for x, y in TABLE]
BIAS = [9.0, 9.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
PAIRS = [("sun", "inti"), ("lima", "lima"), ("dog", "allqu"), ("moon", "killa")]
#           inti            lima            allqu: dog's side, killa: none, wasi: none
Z = {INTI: [1, 0], LIMA: [0, 1], ALLQU: [3, 1]}


def graft(pairs: list[tuple[str, str]] = PAIRS, tables: dict[Role, Any] | None = None, **fields: Any) -> Rows:
    supplies = {Need.DICTIONARY: Dictionary.of(pairs), Need.TARGET_VECTORS: vectors(TARGET.size, Z)}
    ctx = context(SOURCE, TARGET, tables or {Role.INPUT: TABLE}, supplies)
    return build_rows([make("strategy", "tema_graft", fields)], ctx, fallback="mean")


def row(token: int, role: Role = Role.INPUT, **given: Any) -> list[float]:
    found: list[float] = graft(**given).tables[role][token].tolist()
    return found


def test_a_translation_is_shifted_as_the_nearest_shared_word_is_shifted_from_its_own() -> None:
    # dog w = (3,1) is nearest to sun (4,0), the translation of inti (5,1), which the source has:
    # u' = v_y - (v_x - w) = (5,1) - ((4,0) - (3,1)) = (4,2). moon (0,2) is nearest to lima (0,6), its own translation:
    # (0,6) - ((0,6) - (0,2)) = (0,2), moon itself.
    assert row(ALLQU, k=1) == pytest.approx([4, 2])
    assert row(KILLA, k=1) == pytest.approx([0, 2])
    rows = graft()
    assert rows.provenance.rules[2:] == ("bytes", "bytes", "tema_graft", "tema_graft", "fallback")
    assert rows.tables[Role.INPUT][[INTI, LIMA]].tolist() == [[5, 1], [0, 6]]
    assert [part.tolist() for part in rows.provenance.mix.row(ALLQU)] == [[4], [1.0]], "dog"


def test_several_references_share_by_cosine() -> None:
    # w + a (1,1) with the shift of inti, (5,1) - (4,0), and none for lima; cosines of dog 3/sqrt(10) and 1/sqrt(10).
    a = 1 / (1 + math.exp(-2 / math.sqrt(10)))
    assert row(ALLQU, temperature=1.0) == pytest.approx([3 + a, 1 + a])


def test_references_that_are_their_own_translation_leave_the_translation_as_it_is() -> None:
    for pairs in (PAIRS[1:], PAIRS[2:]):
        assert row(ALLQU, pairs=pairs) == pytest.approx([3, 1]), "with lima alone, and with no reference at all"


def test_every_table_has_shifts_of_its_own_and_the_bias_has_none() -> None:
    tables = {Role.INPUT: TABLE, Role.OUTPUT: HEAD, Role.BIAS: BIAS}
    # In the head dog is (6,-1), sun (8,0), inti (10,-1): (10,-1) - ((8,0) - (6,-1)) = (8,-2).
    assert row(ALLQU, Role.OUTPUT, tables=tables, k=1) == pytest.approx([8, -2])
    assert graft(tables=tables, k=1).tables[Role.BIAS][ALLQU] == 3.0


def test_controls() -> None:
    assert row(ALLQU, placement="mapped", centre=False) == pytest.approx([3, 1]), "the translation itself"
    # The references' translations have mean (2,3), the references (2.5,3.5): everything moves by (0.5,0.5).
    assert row(ALLQU, placement="mapped") == pytest.approx([3.5, 1.5])
    assert row(ALLQU, placement="no_offset", k=1) == pytest.approx([5, 1])
    moved = torch.tensor(row(ALLQU, placement="random_offset", k=1)) - torch.tensor([5.0, 1.0])
    assert float(moved.norm()) == pytest.approx(math.sqrt(2), abs=1e-5)


def test_translations_of_several_tokens_are_averaged_or_left_out() -> None:
    # dogs = dog + ##s: ((3,1) + (1,5)) / 2 = (2,3), nearest to lima.
    pairs = [*PAIRS[:2], ("dogs", "allqu")]
    assert row(ALLQU, pairs=pairs, k=1) == pytest.approx([2, 3])
    assert graft(pairs, multi_token="skip").provenance.rules[ALLQU] == "fallback"


def test_vectors_take_the_offset_in_their_own_space() -> None:
    # Centred anchors +-(0.5,-0.5): X'X = [[0.5,-0.5],[-0.5,0.5]], plus 1 * 0.5 I: inverse 4/3 [[1,0.5],[0.5,1]].
    # Rows centred +-d/2 with d = inti - lima = (5,-5): X'Y = [[d/2],[-d/2]], P = [[d/3],[-d/3]], so that an offset
    # (p,q) becomes (p-q) d/3. allqu (3,1) is nearest to inti (1,0): offset (-2,-1) becomes -d/3.
    # u' = (5,1) + d/3 = (5+5/3, 1-5/3).
    assert row(ALLQU, space="vectors", k=1) == pytest.approx([5 + 5 / 3, 1 - 5 / 3], abs=1e-5)
    rows = graft(space="vectors", k=1)
    assert rows.provenance.rules[2:] == ("bytes", "bytes", "tema_graft", "fallback", "fallback")
    assert [part.tolist() for part in rows.provenance.mix.row(ALLQU)] == [[5], [1.0]]


def test_vectors_with_two_references_and_a_bias() -> None:
    # By lima: offset (0,1) - (3,1) = (-3,0) becomes -3 d/3 = -d; u' = (0,6) + (5,-5) = (5,1).
    a = 1 / (1 + math.exp(-2 / math.sqrt(10)))
    tables = {Role.INPUT: TABLE, Role.BIAS: BIAS}
    wanted = [a * (5 + 5 / 3) + (1 - a) * 5, a * (1 - 5 / 3) + (1 - a) * 1]
    assert row(ALLQU, space="vectors", temperature=1.0) == pytest.approx(wanted, abs=1e-5)
    bias = graft(tables=tables, space="vectors", temperature=1.0).tables[Role.BIAS][ALLQU]
    assert float(bias) == pytest.approx(4 * a + 5 * (1 - a))


def test_only_the_chosen_space_is_needed() -> None:
    assert make("strategy", "tema_graft").required_needs() == {Need.DICTIONARY}
    assert make("strategy", "tema_graft", {"space": "vectors"}).required_needs() == {Need.TARGET_VECTORS}
    with pytest.raises(LexigraftError, match="two spaces"):
        make("strategy", "tema_graft", {"space": "vectors", "projection": "identity"})
