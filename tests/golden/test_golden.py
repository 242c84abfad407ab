"""Each strategy on a case worked out by hand; the working stands in the comments."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from fixtures.hand_cases import close, rows_of
from fixtures.small_worlds import context, poor_model, vectors, words
from lexigraft.core.data.dictionary import Dictionary
from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.plan import Dense, Mix
from lexigraft.core.grafting.rows import build_rows
from lexigraft.core.models.tables import FloatTables, Role
from lexigraft.core.registry import make
from lexigraft.testing.tiny_models import build, spec

SOURCE = words("sun", "moon", "star", "##s")
TARGET = words("sun", "moon", "star", "inti", "suns", "killa")
INTI, SUNS, KILLA = 5, 6, 7
#             [PAD]   [UNK]   sun     moon     star    ##s
TABLE = [[0, 1], [2, 0], [1, 2], [3, -1], [0, 5], [6, -1]]
BIAS = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


def test_matched_rows_are_the_source_rows_and_specials_follow_their_roles() -> None:
    found = rows_of(make("strategy", "mean"), context(SOURCE, TARGET, {Role.INPUT: TABLE}))
    close(found[Role.INPUT][:5], TABLE[:5])


def test_random_draws_around_mean_and_deviation_per_dimension() -> None:
    # Column 0: 0 2 1 3 0 6, mean 2, squares about it 4 0 1 1 4 16 = 26, deviation sqrt(26/5).
    # Column 1: 1 0 2 -1 5 -1, mean 1, squares 0 1 1 4 16 4 = 26, the same deviation.
    ctx = context(SOURCE, TARGET, {Role.INPUT: TABLE, Role.BIAS: BIAS}, seed=7)
    draws = torch.randn(3, 2, generator=torch.Generator().manual_seed(7))
    wanted = torch.tensor([2.0, 1.0]) + math.sqrt(26 / 5) * draws
    found = rows_of(make("strategy", "random"), ctx)
    torch.testing.assert_close(found[Role.INPUT][5:], wanted)
    close(found[Role.BIAS][5:], [2.5] * 3)


def test_mean_is_the_mean_of_every_table() -> None:
    output = [[-x, 2 * y] for x, y in TABLE]
    ctx = context(SOURCE, TARGET, {Role.INPUT: TABLE, Role.OUTPUT: output, Role.BIAS: BIAS})
    found = rows_of(make("strategy", "mean"), ctx)
    close(found[Role.INPUT][5:], [[2, 1]] * 3)
    close(found[Role.OUTPUT][5:], [[-2, 2]] * 3)
    close(found[Role.BIAS][5:], [2.5] * 3)


@pytest.mark.parametrize("tied", [True, False])
def test_hf_mean_resizing_does_what_transformers_does(tied: bool) -> None:
    model = build(replace(spec("bert-tied-bias"), tied=tied))
    old = model.get_input_embeddings().weight.detach().clone()
    size, added = len(old), 4
    tables = {Role.INPUT: old, Role.OUTPUT: model.get_output_embeddings().weight.detach().clone()}
    tables[Role.BIAS] = model.get_output_embeddings().bias.detach().clone()
    if tied:
        del tables[Role.OUTPUT]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model.resize_token_embeddings(size + added, mean_resizing=True)
    theirs = {Role.INPUT: model.get_input_embeddings().weight, Role.OUTPUT: model.get_output_embeddings().weight}
    strategy = make("strategy", "hf_mean_resizing")
    ctx = replace(
        context(SOURCE, TARGET, {Role.INPUT: TABLE}),
        tables=FloatTables(tables),
        roles=frozenset(tables),
        target_ids=np.arange(added),
    )
    ours, centre = strategy.plan(ctx), replace(strategy, epsilon=0.0).plan(ctx)
    for role in tables:
        part, middle = ours[role], centre[role]
        assert isinstance(part, Dense)
        torch.testing.assert_close(middle.rows[0], tables[role].mean(0), atol=1e-6, rtol=0)
        assert len(part.rows) == added
        assert (part.rows - middle.rows).abs().max() < 1e-3
        if role in theirs:
            assert (theirs[role][size:] - middle.rows).abs().max() < 1e-3
    if not tied:
        bias = model.get_output_embeddings().bias[size:]
        torch.testing.assert_close(bias, ours[Role.BIAS].rows, atol=1e-3, rtol=0)


def test_hf_mean_resizing_noise_has_the_scaled_covariance() -> None:
    # Covariance of TABLE (over 6 rows): var 26/6 each; cov: (-2*0 + 0*-1 + -1*1 + 1*-2 + -2*4 + 4*-2)/6 = -19/6.
    strategy = replace(make("strategy", "hf_mean_resizing"), epsilon=0.01)
    ctx = replace(context(SOURCE, TARGET, {Role.INPUT: TABLE}), target_ids=np.arange(20000))
    noise = strategy.plan(ctx)[Role.INPUT].rows - torch.tensor([2.0, 1.0])
    wanted = 0.01 * torch.tensor([[26 / 6, -19 / 6], [-19 / 6, 26 / 6]])
    torch.testing.assert_close(noise.T @ noise / len(noise), wanted, atol=2e-3, rtol=0)


def test_subword_mean_averages_the_pieces_and_leaves_the_rest() -> None:
    # "suns" = sun + ##s: ((1,2) + (6,-1)) / 2. The source spells neither inti nor killa.
    ctx = context(SOURCE, TARGET, {Role.INPUT: TABLE, Role.BIAS: BIAS})
    plan = make("strategy", "subword_mean").plan(ctx)
    assert isinstance(plan, Mix)
    assert plan.covered.tolist() == [False, True, False]
    assert [part.tolist() for part in plan.row(1)] == [[2, 5], [0.5, 0.5]]
    found = rows_of(make("strategy", "subword_mean"), ctx)
    close(found[Role.INPUT][SUNS], [3.5, 0.5])
    close(found[Role.BIAS][SUNS], 3.5)


ANCHORS = {2: [1, 0, 0], 3: [0, 2, 0], 4: [0, 0, 5]}


@pytest.mark.parametrize(
    ("temperature", "weights", "row"),
    [
        # Cosines of (8, 6, 0) with the anchors: 0.8, 0.6, 0. Threshold over two: (1.4 - 1) / 2 = 0.2; 0 is below it.
        (1.0, [0.6, 0.4], [1.8, 0.8]),
        # Scores 1.6, 1.2, 0: threshold (2.8 - 1) / 2 = 0.9.
        (0.5, [0.7, 0.3], [1.6, 1.1]),
        # Scores 8, 6, 0: 1 + 2 * 6 = 13 is not above 14, so one anchor takes all.
        (0.1, [1.0], [1.0, 2.0]),
        # Scores 0.4, 0.3, 0: 1 + 3 * 0 = 1 is above 0.7, threshold (0.7 - 1) / 3 = -0.1: all three anchors.
        (2.0, [0.5, 0.4, 0.1], [1.7, 1.1]),
    ],
)
def test_focus_is_a_sparsemax_over_three_anchors(temperature: float, weights: list[float], row: list[float]) -> None:
    static = vectors(TARGET.size, {**ANCHORS, INTI: [8, 6, 0]})
    ctx = context(SOURCE, TARGET, {Role.INPUT: TABLE}, {Need.TARGET_VECTORS: static})
    plan = make("strategy", "focus", {"temperature": temperature}).plan(ctx)
    assert plan.covered.tolist() == [True, False, False]
    ids, found = plan.row(0)
    order = np.argsort(ids)
    assert ids[order].tolist() == [2, 3, 4][: len(weights)]
    np.testing.assert_allclose(found[order], weights, atol=1e-6)
    close(rows_of(make("strategy", "focus", {"temperature": temperature}), ctx)[Role.INPUT][INTI], row)


def test_focus_takes_only_anchors_that_have_a_vector() -> None:
    # Without sun the cosines are 0.6 and 0: 1 + 0 > 0.6, threshold (0.6 - 1) / 2 = -0.2, weights 0.8 and 0.2.
    static = vectors(TARGET.size, {3: [0, 2, 0], 4: [0, 0, 5], INTI: [8, 6, 0]})
    ctx = context(SOURCE, TARGET, {Role.INPUT: TABLE}, {Need.TARGET_VECTORS: static})
    close(rows_of(make("strategy", "focus"), ctx)[Role.INPUT][INTI], [0.8 * 3, -0.8 + 0.2 * 5])


def test_a_chain_hands_uncovered_rows_on_and_provenance_says_who_made_each() -> None:
    static = vectors(TARGET.size, {**ANCHORS, INTI: [8, 6, 0]})
    ctx = context(SOURCE, TARGET, {Role.INPUT: TABLE}, {Need.TARGET_VECTORS: static}, seed=3)
    chain = [make("strategy", name) for name in ("focus", "subword_mean", "random")]
    rows = build_rows(chain, ctx)
    assert rows.provenance.rules == (
        "special_role", "special_role", "bytes", "bytes", "bytes", "focus", "subword_mean", "random",
    )  # fmt: skip
    close(rows.tables[Role.INPUT][INTI], [1.8, 0.8])
    close(rows.tables[Role.INPUT][SUNS], [3.5, 0.5])
    draw = torch.randn(1, 2, generator=torch.Generator().manual_seed(3))[0]
    torch.testing.assert_close(rows.tables[Role.INPUT][KILLA], torch.tensor([2.0, 1.0]) + math.sqrt(26 / 5) * draw)
    assert [p.tolist() for p in rows.provenance.mix.row(SUNS)] == [[2, 5], [0.5, 0.5]]
    assert [p.tolist() for p in rows.provenance.mix.row(2)] == [[2], [1.0]]
    assert rows.provenance.mix.row(KILLA)[0].tolist() == []
    assert {k: rows.counts[k] for k in ("new", "covered", "fallback")} == {"new": 3, "covered": 3, "fallback": 0}


def test_what_nobody_covers_gets_the_fallback_and_is_counted() -> None:
    rows = build_rows([make("strategy", "subword_mean")], context(SOURCE, TARGET, {Role.INPUT: TABLE}), fallback="mean")
    assert rows.provenance.rules[5:] == ("fallback", "subword_mean", "fallback")
    close(rows.tables[Role.INPUT][[INTI, KILLA]], [[2, 1]] * 2)
    assert {k: rows.counts[k] for k in ("new", "covered", "fallback")} == {"new": 3, "covered": 1, "fallback": 2}


def test_keep_changes_nothing_with_its_own_tokenizer() -> None:
    rows = build_rows([make("strategy", "keep")], context(SOURCE, SOURCE, {Role.INPUT: TABLE}))
    close(rows.tables[Role.INPUT], TABLE)
    assert (rows.counts["new"], rows.counts["covered"], rows.counts["fallback"]) == (0, 0, 0)


def test_oracle_weighs_the_true_words_by_how_often_they_occur() -> None:
    # inti stands for sun 3 times and for moon once: 0.75 (1,2) + 0.25 (3,-1). killa is "suns": half sun, half ##s.
    links = Dictionary.of([("sun", "inti"), ("moon", "inti"), ("suns", "killa")], [3, 1, 2])
    ctx = context(SOURCE, TARGET, {Role.INPUT: TABLE}, {Need.GOLD_LINKS: links})
    found = rows_of(make("strategy", "oracle"), ctx)[Role.INPUT]
    close(found[INTI], [1.5, 1.25])
    close(found[KILLA], [3.5, 0.5])


RICH_WORDS = words("sun", "moon", "dog", "##s")
POOR_WORDS = words("inti", "killa", "allqu", "wasi")
#        [PAD]   [UNK]   sun     moon    dog     ##s
RICH = [[9, 9], [9, 9], [4, 0], [0, 2], [3, 1], [1, 5]]
#        [PAD]     [UNK]     inti    killa    allqu   wasi
POOR = [[-9, -9], [-8, -8], [1, 1], [-2, 3], [7, 7], [2, 2]]
COUNTS = [0, 0, 20, 20, 3, 20]
PAIRS = [("sun", "inti"), ("moon", "killa"), ("dog", "allqu")]
PLAIN = {"projection": "identity", "centre": False, "k": 1, "temperature": 1.0, "min_count": 15, "move": "rare"}


def tema(pairs: list[tuple[str, str]] = PAIRS, **fields: object) -> tuple[torch.Tensor, tuple[str, ...]]:
    supplies = {
        Need.POOR_MODEL: poor_model(POOR_WORDS, {Role.INPUT: POOR}, COUNTS),
        Need.DICTIONARY: Dictionary.of(pairs),
    }
    ctx = context(RICH_WORDS, POOR_WORDS, {Role.INPUT: RICH}, supplies)
    rows = build_rows([make("strategy", "tema", {**PLAIN, **fields})], ctx)
    return rows.tables[Role.INPUT], rows.provenance.rules


def test_tema_places_the_rare_word_beside_its_reference() -> None:
    # allqu's translation dog w = (3,1): cos 3/sqrt(10) with sun, 1/sqrt(10) with moon, so the reference is sun/inti.
    # u' = v_y - (v_x - w) = (1,1) - ((4,0) - (3,1)) = (0,2). Every other row stays.
    found, rules = tema()
    close(found, [POOR[0], POOR[1], POOR[2], POOR[3], [0, 2], POOR[5]])
    assert rules == ("poor_model", "poor_model", "poor_model", "poor_model", "tema", "poor_model")


def test_tema_with_two_references_weighs_them_by_cosine() -> None:
    # By moon/killa: (-2,3) - ((0,2) - (3,1)) = (1,2). a = softmax(3, 1 over sqrt(10)) = 1 / (1 + exp(-2/sqrt(10))).
    a = 1 / (1 + math.exp(-2 / math.sqrt(10)))
    close(tema(k=2)[0][4], [1 - a, 2])
    sharp = 1 / (1 + math.exp(-2 / math.sqrt(10) / 0.1))
    close(tema(k=2, temperature=0.1)[0][4], [1 - sharp, 2])


def test_temas_controls() -> None:
    close(tema(placement="mapped")[0][4], [3, 1])
    close(tema(placement="no_offset")[0][4], [1, 1])
    # The offset (v_x - w) = (1,-1) has length sqrt(2); a random one of that length is drawn instead.
    moved = tema(placement="random_offset")[0][4] - torch.tensor([1.0, 1.0])
    assert float(moved.norm()) == pytest.approx(math.sqrt(2), abs=1e-5)
    assert not torch.allclose(moved, torch.tensor([-1.0, 1.0]), atol=0.05)


def test_tema_moves_every_linked_word_but_never_by_itself() -> None:
    # inti by moon/killa: (-2,3) - ((0,2) - (4,0)) = (2,1). killa by sun/inti: (1,1) - ((4,0) - (0,2)) = (-3,3).
    found, rules = tema(move="linked")
    close(found[2:], [[2, 1], [-3, 3], [0, 2], POOR[5]])
    assert rules[2:] == ("tema", "tema", "tema", "poor_model")


def test_tema_moves_all_by_spreading_the_displacement() -> None:
    # wasi (2,2) points where inti (1,1) and allqu (7,7) point. inti moved by (1,0), allqu by (0,2) - (7,7) = (-7,-5).
    # With two neighbours: (2,2) + ((1,0) + (-7,-5)) / 2 = (-1,-0.5).
    found, rules = tema(move="all", neighbours=2)
    close(found[2:], [[2, 1], [-3, 3], [0, 2], [-1, -0.5]])
    assert rules[2:] == ("tema",) * 4
    close(found[:2], POOR[:2])


def test_tema_averages_translations_of_several_tokens_or_leaves_them_out() -> None:
    # "dogs" = dog + ##s: ((3,1) + (1,5)) / 2 = (2,3), nearest moon (0,2): (-2,3) - ((0,2) - (2,3)) = (0,4).
    pairs = [*PAIRS[:2], ("dogs", "allqu")]
    close(tema(pairs)[0][4], [0, 4])
    close(tema(pairs, multi_token="skip")[0][4], POOR[4])


def test_tema_averages_several_translations() -> None:
    # dog (3,1) and sun (4,0): (3.5, 0.5), nearest sun: (1,1) - ((4,0) - (3.5,0.5)) = (0.5,1.5).
    close(tema([*PAIRS, ("sun", "allqu")])[0][4], [0.5, 1.5])


def test_tema_maps_centred_points_between_the_means() -> None:
    # References sun, moon have mean (2,1); inti, killa have mean (-0.5,2). (3,1) - (2,1) + (-0.5,2) = (0.5,2).
    close(tema(placement="mapped", centre=True)[0][4], [0.5, 2])


def test_tema_with_nothing_rare_to_move_leaves_the_poor_model_as_it_is() -> None:
    close(tema(PAIRS[:2])[0], POOR)


def test_tema_says_what_it_lacks() -> None:
    with pytest.raises(LexigraftError, match="no references"):
        tema(min_count=21)


def test_poor_keeps_every_row_of_the_poor_model() -> None:
    supplies = {Need.POOR_MODEL: poor_model(POOR_WORDS, {Role.INPUT: POOR}, COUNTS)}
    rows = build_rows([make("strategy", "poor")], context(RICH_WORDS, POOR_WORDS, {Role.INPUT: RICH}, supplies))
    close(rows.tables[Role.INPUT], POOR)
    assert set(rows.provenance.rules) == {"poor_model"}


def test_bodies_do_not_mix() -> None:
    with pytest.raises(LexigraftError, match="different bodies"):
        build_rows([make("strategy", "poor"), make("strategy", "mean")], context(SOURCE, TARGET, {Role.INPUT: TABLE}))
