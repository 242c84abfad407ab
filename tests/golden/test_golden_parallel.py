"""Strategies from parallel text, target text and a compass, on cases worked out by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
import torch

from fixtures.hand_cases import weights
from fixtures.small_worlds import context, vectors, words
from lexigraft.core.data.corpus import Corpus
from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.resources import Compass, ParallelText
from lexigraft.core.grafting.rows import build_rows
from lexigraft.core.grafting.strategy import InitContext
from lexigraft.core.methods.word_alignment.translation_counts import add_matches, smoothed, token_evidence, word_pairs
from lexigraft.core.models.tables import Role
from lexigraft.core.registry import make
from lexigraft.core.tokenization.matching.alignment import align
from lexigraft.core.tokenization.vocabulary import Vocabulary

SOURCE = words("sun", "moon", "##s", "7")
SUN, MOON, S, SEVEN = 2, 3, 4, 5
TARGET = words("inti", "##kuna", "killa", "##p", "7", "moon", "intip", "int", "zzz")
INTI, KUNA, KILLA, P, SIETE, LUNA, INTIP, INT, ZZZ = range(2, 11)
#        [PAD]   [UNK]   sun     moon     ##s     7
TABLE = [[9, 9], [9, 9], [4, 0], [0, 8], [2, -2], [1, 1]]
LINES = [*[("sun", "inti")] * 12, *[("moon", "inti")] * 4, *[("suns", "intikuna")] * 9, *[("moon", "killap")] * 8]


def word_for_word(source: Sequence[Sequence[str]], target: Sequence[Sequence[str]]) -> list[list[tuple[int, int]]]:
    return [[(n, n) for n in range(min(len(s), len(t)))] for s, t in zip(source, target, strict=True)]


def told(lines: Sequence[tuple[str, str]] = LINES) -> ParallelText:
    return ParallelText(tuple(s for s, _ in lines), tuple(t for _, t in lines), word_for_word, {})


def asked(ctx: InitContext, target_id: int) -> int:
    return ctx.target_ids.tolist().index(target_id)


def everything(source: Vocabulary, target: Vocabulary, supplies: Mapping[Need, object]) -> InitContext:
    """A context that asks for every text token, twins included."""
    ctx = context(source, target, {Role.INPUT: TABLE}, supplies)
    return ctx.asking(np.arange(2, target.size))


def test_words_are_counted_as_their_tokens() -> None:
    pairs = word_pairs(SOURCE, TARGET, told([("sun , suns", "inti , intikuna"), ("sun xyz", "inti moon")]))
    # "," and "xyz" are unknown to the source and "," to the target, so they are no words.
    assert dict(pairs) == {((SUN,), (INTI,)): 2, ((SUN, S), (INTI, KUNA)): 1}


def test_counts_are_shared_out_among_tokens() -> None:
    evidence = token_evidence(word_pairs(SOURCE, TARGET, told()), 4)
    # sun/inti 12 and moon/inti 4 are words of one token. suns/intikuna 9: half is 4; all to all 4 // 2 = 2 for each of
    # the four pairs; by position 4 for inti-sun and 4 for ##kuna-##s. moon/killap 8: half is 4; all to all 4 // 1 for
    # killa-moon and ##p-moon; by position the same again.
    assert evidence == {
        INTI: {SUN: 12 + 2 + 4, MOON: 4, S: 2},
        KUNA: {SUN: 2, S: 2 + 4},
        KILLA: {MOON: 8},
        P: {MOON: 8},
    }


def test_words_of_two_and_three_tokens_meet_at_six() -> None:
    # Old a b, new x y z, 24 times: half 12; all to all 12 // 2 = 6 for each pair; by position over a a a b b b and
    # x x y y z z each place is worth 12 // 2 = 6: x-a twice, y-a, y-b, z-b twice.
    found = token_evidence({((0, 1), (5, 6, 7)): 24}, 10)
    assert found == {5: {0: 18, 1: 6}, 6: {0: 12, 1: 12}, 7: {0: 6, 1: 18}}


def test_rare_pairs_are_left_out_and_counts_never_fall_below_one() -> None:
    assert token_evidence({((0,), (5,)): 9}, 10) == {}
    # 1 time: half is 1, not 0; all to all 1 // 2 = 0 becomes 1; by position 1.
    assert token_evidence({((0, 1), (5,)): 1}, 1) == {5: {0: 2, 1: 2}}


def test_trans_tokenization_copies_what_is_shared_and_mixes_the_rest() -> None:
    ctx = everything(SOURCE, TARGET, {Need.PARALLEL: told()})
    strategy = make("strategy", "trans_tokenization", {"min_count": 4})
    plan = strategy.plan(ctx)
    # 24 counts stand behind inti: sun 18, moon 4, ##s 2.
    assert weights(plan, asked(ctx, INTI)) == pytest.approx({SUN: 18 / 24, MOON: 4 / 24, S: 2 / 24})
    assert weights(plan, asked(ctx, KUNA)) == pytest.approx({SUN: 0.25, S: 0.75})
    assert weights(plan, asked(ctx, SIETE)) == weights(plan, asked(ctx, LUNA)) == {}
    rows = build_rows([strategy], ctx)
    # inti: (18 (4,0) + 4 (0,8) + 2 (2,-2)) / 24 = (76/24, 28/24).
    torch.testing.assert_close(rows.tables[Role.INPUT][INTI], torch.tensor([76 / 24, 28 / 24]))
    assert rows.tables[Role.INPUT][LUNA].tolist() == [0, 8]
    assert rows.provenance.rules[LUNA] == "bytes"


def test_trans_tokenization_smooths_by_spelling() -> None:
    ctx = everything(SOURCE, TARGET, {Need.PARALLEL: told()})
    plan = make("strategy", "trans_tokenization", {"min_count": 4}).plan(ctx)
    # inti (24): sun and moon start words, 2000 * 18 // 24 = 1500, 2000 * 4 // 24 = 333; ##s does not: 1000 * 2 // 24.
    inti = {SUN: 1500, MOON: 333, S: 83}
    # "int" begins inti: all its evidence (intip begins with it too, but has none from outside).
    total = sum(inti.values())
    assert weights(plan, asked(ctx, INT)) == pytest.approx({j: n / total for j, n in inti.items()})
    # "intip" holds inti and ##p, neither part of the other; p brings moon 2000.
    intip = inti | {MOON: 2333}
    total = sum(intip.values())
    assert weights(plan, asked(ctx, INTIP)) == pytest.approx({j: n / total for j, n in intip.items()})
    assert weights(plan, asked(ctx, ZZZ)) == {}
    bare = make("strategy", "trans_tokenization", {"min_count": 4, "smooth": False}).plan(ctx)
    assert weights(bare, asked(ctx, INT)) == weights(bare, asked(ctx, INTIP)) == {}


def test_trans_tokenization_blends_as_the_authors_do() -> None:
    lines = [*LINES, *[("sun", "7")] * 8]
    ctx = everything(SOURCE, TARGET, {Need.PARALLEL: told(lines)})
    plan = make("strategy", "trans_tokenization", {"min_count": 4, "shared": "blend"}).plan(ctx)
    # 7: eight times sun, once for the number, once for the twin. moon: only its twin.
    assert weights(plan, asked(ctx, SIETE)) == pytest.approx({SUN: 0.8, SEVEN: 0.2})
    assert weights(plan, asked(ctx, LUNA)) == {MOON: 1.0}


def test_smoothed_tokens_support_no_others() -> None:
    # A known difference: the authors' code adds to the table while it goes through the vocabulary, so that a token
    # smoothed early stands behind later ones, in whatever order the vocabulary has. Here "intip" has no evidence of its
    # own, so "int" takes that of "inti" alone.
    evidence = {INTI: {SUN: 10}}
    assert smoothed(evidence, SOURCE, TARGET) == {INTI: {SUN: 10}, INTIP: {SUN: 2000}, INT: {SUN: 2000}}


def test_twins_count_once() -> None:
    evidence = {LUNA: {MOON: 3}}
    add_matches(evidence, align(SOURCE, TARGET), [LUNA, SIETE, INTI])
    assert evidence == {LUNA: {MOON: 4}, SIETE: {SEVEN: 1}}


PIECES = words("sun", "moon", "##s", "su", "##ns")
WHOLE = words("suns", "##ns", "sunm", "s", "##uns", "moons", "dogs", "##oon")


def spans(target: Vocabulary, lines: Sequence[str], **fields: object) -> tuple[InitContext, object]:
    ctx = context(PIECES, target, {Role.INPUT: [[0, 0]] * PIECES.size}, {Need.TRAINING: Corpus.of(lines)})
    return ctx, make("strategy", "span_align", fields).plan(ctx)


def test_span_align_averages_what_stands_under_the_token() -> None:
    # The source cuts suns into sun ##s and moons into moon ##s. The target cuts suns whole, moons whole.
    ctx, plan = spans(WHOLE, ["suns moons", "suns"])
    sun, moon, s = 2, 3, 4
    assert weights(plan, asked(ctx, WHOLE.id_of("suns"))) == {sun: 0.5, s: 0.5}
    assert weights(plan, asked(ctx, WHOLE.id_of("moons"))) == {moon: 0.5, s: 0.5}
    # "dogs" does not occur, and the source spells no d; "##uns" does not occur and splits into nothing either.
    assert weights(plan, asked(ctx, WHOLE.id_of("dogs"))) == weights(plan, asked(ctx, WHOLE.id_of("##uns"))) == {}


def test_span_align_weighs_runs_by_how_often_they_occur() -> None:
    # The source cuts suns into sun ##s and knows sun. The target cuts suns into s ##uns and sun into s ##un.
    target = words("s", "##uns", "##un")
    s, uns, un = 2, 3, 4
    ctx, plan = spans(target, ["suns", "suns", "sun"])
    # Under s stands sun, always; under ##uns sun, which reaches beyond it, and ##s, both halves; under ##un sun.
    sun, plural = 2, 4
    assert weights(plan, asked(ctx, s)) == {sun: 1.0}
    assert weights(plan, asked(ctx, uns)) == {sun: 0.5, plural: 0.5}
    assert weights(plan, asked(ctx, un)) == {sun: 1.0}
    # suns twice, sus once; sung is unknown to the source as a whole, so it is not counted.
    ctx, plan = spans(words("s", "##u", "##n", "##s", "##m"), ["suns", "suns", "sus", "sung"])
    assert PIECES.pieces(b"sus", True) == [5, 4]
    # s: sun twice and su once; ##u likewise.
    assert weights(plan, asked(ctx, 2)) == pytest.approx({sun: 2 / 3, 5: 1 / 3})
    assert weights(plan, asked(ctx, 3)) == pytest.approx({sun: 2 / 3, 5: 1 / 3})


def test_span_align_takes_the_first_lines_only_and_pieces_for_the_rest() -> None:
    ctx, plan = spans(WHOLE, ["moon", "suns suns"], max_lines=1)
    # "suns" is not in the first line: its own pieces, sun ##s. "##ns" does not occur: the source has it as a token, so
    # it is copied and not asked for.
    assert weights(plan, asked(ctx, WHOLE.id_of("suns"))) == {2: 0.5, 4: 0.5}
    assert WHOLE.id_of("##ns") not in ctx.target_ids.tolist()


STARS = words("sun", "moon", "star", "##s")
SKY = words("sun", "star", "inti", "killa")
#              [PAD]   [UNK]   sun     moon    star    ##s
STAR_TABLE = [[9, 9], [9, 9], [1, 2], [3, -1], [0, 5], [6, -1]]


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        # inti (8,6,0) sees sun, moon and star under cosines 0.8, 0.6 and 0: threshold (1.4 - 1) / 2 = 0.2. Moon takes
        # part although the target does not have it; ##s does not occur in the text.
        ({}, {2: 0.6, 3: 0.4}),
        ({"temperature": 0.5}, {2: 0.7, 3: 0.3}),
        # Only sun and star are shared: cosines 0.8 and 0, threshold (0.8 - 1) / 2 = -0.1.
        ({"anchors": "shared"}, {2: 0.9, 4: 0.1}),
    ],
)
def test_compass_mixes_source_tokens_that_occur(fields: Mapping[str, object], wanted: Mapping[int, float]) -> None:
    compass = Compass(
        vectors(STARS.size, {1: [8, 6, 0], 2: [1, 0, 0], 3: [0, 2, 0], 4: [0, 0, 5]}),
        vectors(SKY.size, {4: [8, 6, 0]}),
    )
    ctx = context(STARS, SKY, {Role.INPUT: STAR_TABLE}, {Need.COMPASS: compass})
    plan = make("strategy", "compass", dict(fields)).plan(ctx)
    # The unknown token (id 1) has inti's very vector and still gets nothing; killa has no vector.
    assert weights(plan, asked(ctx, 4)) == pytest.approx(wanted, abs=1e-6)
    assert weights(plan, asked(ctx, 5)) == {}
