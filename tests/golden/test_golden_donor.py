"""Strategies that lean on a donor, on cases worked out by hand; the working stands in the comments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from fixtures.hand_cases import close, rows_of, weights
from fixtures.small_worlds import context, vectors, words
from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.plan import Mix
from lexigraft.core.grafting.resources import Donor
from lexigraft.core.grafting.rows import build_rows
from lexigraft.core.grafting.strategy import InitContext
from lexigraft.core.models.tables import Role
from lexigraft.core.registry import make
from lexigraft.core.tokenization.vocabulary import Vocabulary

SOURCE = words("sun", "moon", "star", "##s")
TARGET = words("sun", "moon", "star", "inti", "killa")
SUN, MOON, STAR = 2, 3, 4  # in the source
INTI, KILLA = 5, 6
# Another order, and more tokens: nothing may lean on equal ids.
DONOR = words("killa", "star", "comet", "moon", "inti", "sun")
#             [PAD]   [UNK]   sun     moon     star    ##s
TABLE = [[0, 1], [2, 0], [1, 2], [3, -1], [0, 5], [6, -1]]
HEAD = [[-x, 2 * y] for x, y in TABLE]
BIAS = [9.0, 9.0, 1.0, 2.0, 6.0, -9.0]
Rows = Mapping[str, Sequence[float]]


def donor(by_word: Rows, head: Rows | None = None, vocabulary: Vocabulary = DONOR) -> Donor:
    """A donor whose other rows would show in every result; three rows more than its tokenizer has ids."""
    tables = {}
    for role, rows in ((Role.INPUT, by_word), (Role.OUTPUT, head)):
        if rows is not None:
            table = torch.full((vocabulary.size + 3, len(next(iter(rows.values())))), 77.0)
            for word, numbers in rows.items():
                i = vocabulary.id_of(word)
                assert i is not None
                table[i] = torch.tensor(numbers)
            tables[role] = table
    return Donor(tables, vocabulary)


def donor_context(given: Donor, tables: Mapping[Role, Any] | None = None, **supplies: Any) -> InitContext:
    needs = {Need.DONOR: given} | {Need(name.lower()): value for name, value in supplies.items()}
    return context(SOURCE, TARGET, tables or {Role.INPUT: TABLE}, needs)


# OMP. Inner products of inti (2,2) with sun, moon, star: 4, 4, 6. The star is taken, although moon points the same way
# as inti: atoms are not normalised. c = 6/9, r = (2,0). Now 4 and 2: sun is taken, and (2,2) = 1 sun + 2/3 star.
# killa (-2,1): -4, -1, 3: sun, c = -1, r = (0,1): 1 and 3: star. (-2,1) = -1 sun + 1/3 star.
PURSUED = {"sun": [2, 0], "moon": [1, 1], "star": [0, 3], "inti": [2, 2], "killa": [-2, 1]}


def test_omp_takes_the_largest_inner_products_and_refits() -> None:
    plan = make("strategy", "omp", {"k": 2}).plan(donor_context(donor(PURSUED)))[Role.INPUT]
    assert weights(plan, 0) == pytest.approx({STAR: 2 / 3, SUN: 1})
    assert weights(plan, 1) == pytest.approx({SUN: -1, STAR: 1 / 3})
    found = rows_of("omp", donor_context(donor(PURSUED)), k=2)[Role.INPUT]
    close(found[INTI], [1, 2 + 10 / 3])
    close(found[KILLA], [-1, -2 + 5 / 3])


def test_omp_with_one_atom_projects_on_it() -> None:
    close(rows_of("omp", donor_context(donor(PURSUED)), k=1)[Role.INPUT][[INTI, KILLA]], [[0, 10 / 3], [-1, -2]])


def test_omp_stops_when_nothing_is_left() -> None:
    # The plane is spent after two atoms; the published default of 64 takes no more.
    plan = make("strategy", "omp").plan(donor_context(donor(PURSUED)))[Role.INPUT]
    assert weights(plan, 0) == pytest.approx({STAR: 2 / 3, SUN: 1})


def test_omp_pursues_the_head_by_itself_and_gives_a_bias_the_anchors_mean() -> None:
    # In the donor's head inti = moon and killa = 2 star; anchors' biases 1, 2, 6.
    head = {"sun": [2, 0], "moon": [0, 2], "star": [1, 1], "inti": [0, 2], "killa": [2, 2]}
    tables = {Role.INPUT: TABLE, Role.OUTPUT: HEAD, Role.BIAS: BIAS}
    found = rows_of("omp", donor_context(donor(PURSUED, head), tables), k=1)
    close(found[Role.INPUT][[INTI, KILLA]], [[0, 10 / 3], [-1, -2]])
    # Head, k = 1: inti with sun 0, moon 4, star 2: moon. killa with 4, 4, 4: a tie of all three, the first.
    close(found[Role.OUTPUT][INTI], HEAD[MOON])
    close(found[Role.BIAS][[INTI, KILLA]], [3, 3])


def test_a_tied_donor_serves_an_untied_source_and_an_untied_donor_a_tied_source() -> None:
    untied = rows_of("omp", donor_context(donor(PURSUED), {Role.INPUT: TABLE, Role.OUTPUT: HEAD}), k=2)
    close(untied[Role.OUTPUT][INTI], [-1, 2 * (2 + 10 / 3)])
    # A tied source is pursued in the donor's input table alone: a head of zeros changes nothing.
    nothing = {word: [0.0, 0.0] for word in PURSUED}
    tied = rows_of("omp", donor_context(donor(PURSUED, nothing)), k=2)
    close(tied[Role.INPUT][INTI], [1, 2 + 10 / 3])


@pytest.mark.parametrize("name", ["omp", "knn_interpolation", "clp", "clp_plus", "landmark_map"])
def test_tokens_without_a_donor_row_stay_uncovered_and_are_no_anchors(name: str) -> None:
    # This donor knows neither star nor killa, and its inti is a row of zeros in the head.
    smaller = words("moon", "inti", "sun")
    tables = {Role.INPUT: TABLE, Role.OUTPUT: HEAD}
    rows = {"sun": [2.0, 0.0], "moon": [1.0, 1.0], "inti": [2.0, 2.0]}
    ctx = donor_context(donor(rows, vocabulary=smaller), tables)
    plan = make("strategy", name).plan(ctx)
    covered = [part.covered.tolist() for part in plan.values()]
    assert covered == [[True, False]] * 2
    if isinstance(plan[Role.INPUT], Mix):
        assert set(weights(plan[Role.INPUT], 0)) <= {SUN, MOON}
    empty = donor_context(donor(rows, rows | {"inti": [0.0, 0.0]}, smaller), tables)
    assert [part.covered.tolist() for part in make("strategy", name).plan(empty).values()] == [[False, False]] * 2


# Nearest neighbours of inti (2,1): sun at sqrt(2), moon at sqrt(8), star at sqrt(10).
# killa lies on the star.
NEAR = {"sun": [1, 0], "moon": [4, -1], "star": [1, 4], "inti": [2, 1], "killa": [1, 4]}


def test_knn_weighs_by_inverse_distance() -> None:
    # 1/sqrt(2) : 1/sqrt(8) = 2 : 1. What lies at the very place takes all.
    plan = make("strategy", "knn_interpolation", {"k": 2}).plan(donor_context(donor(NEAR)))[Role.INPUT]
    assert weights(plan, 0) == pytest.approx({SUN: 2 / 3, MOON: 1 / 3})
    assert weights(plan, 1) == pytest.approx({STAR: 1})


def test_knn_weighs_by_cosine() -> None:
    # cos(inti, .): sun 2/sqrt(5), moon 7/sqrt(85), star 6/sqrt(85). killa (1,4): sun 1/sqrt(17), moon 0, star 1.
    fields = {"k": 2, "metric": "cosine"}
    plan = make("strategy", "knn_interpolation", fields).plan(donor_context(donor(NEAR)))[Role.INPUT]
    first, second = 2 / 5**0.5, 7 / 85**0.5
    assert weights(plan, 0) == pytest.approx({SUN: first / (first + second), MOON: second / (first + second)}, rel=1e-5)
    # All three for (-1,-4): cosines -1/sqrt(17), 0, -1. Nothing points the same way.
    away = NEAR | {"killa": [-1, -4]}
    plan = make("strategy", "knn_interpolation", {"metric": "cosine"}).plan(donor_context(donor(away)))[Role.INPUT]
    assert plan.covered.tolist() == [True, False]


@pytest.mark.parametrize(
    ("k", "scheme", "wanted"),
    [
        # From sun towards moon (3,-1): ((1,1) . (3,-1)) / 10 = 0.2.
        (2, "barycentric", {SUN: 0.8, MOON: 0.2}),
        # (1,0) + b (3,-1) + c (0,4) = (2,1): b = 1/3, c = 1/3.
        (3, "barycentric", {SUN: 1 / 3, MOON: 1 / 3, STAR: 1 / 3}),
        # a (1,0) + b (4,-1) = (2,1): b = -1, a = 6.
        (2, "least_squares", {SUN: 6, MOON: -1}),
        # (2,1) . (1,0) / 1 = 2.
        (1, "least_squares", {SUN: 2}),
    ],
)
def test_knn_solves_for_its_weights(k: int, scheme: str, wanted: dict[int, float]) -> None:
    fields = {"k": k, "weights": scheme}
    plan = make("strategy", "knn_interpolation", fields).plan(donor_context(donor(NEAR)))[Role.INPUT]
    assert weights(plan, 0) == pytest.approx(wanted, rel=1e-5)


def test_knn_hands_a_bias_its_convex_weights_or_the_anchors_mean() -> None:
    tables = {Role.INPUT: TABLE, Role.BIAS: BIAS}
    # 2/3 of sun's 1 and 1/3 of moon's 2; killa is the star.
    close(rows_of("knn_interpolation", donor_context(donor(NEAR), tables), k=2)[Role.BIAS][[INTI, KILLA]], [4 / 3, 6])
    fields = {"k": 2, "weights": "least_squares"}
    close(rows_of("knn_interpolation", donor_context(donor(NEAR), tables), **fields)[Role.BIAS][[INTI, KILLA]], [3, 3])


# Cosines of inti (8,6) with sun, moon, star: 0.8, 0.6, -0.96.
# killa (1,-2) over its length: 1, -2, (-3 + 8)/5 = 1, all over sqrt(5): they cancel.
WEIGHED = {"sun": [5, 0], "moon": [0, 2], "star": [-3, -4], "inti": [8, 6], "killa": [1, -2]}


def test_clp_divides_cosines_by_their_sum_negative_ones_too() -> None:
    # The sum is 0.44: 20/11 sun + 15/11 moon - 24/11 star.
    ctx = donor_context(donor(WEIGHED), {Role.INPUT: TABLE, Role.BIAS: BIAS})
    rows = build_rows([make("strategy", "clp")], ctx, fallback="mean")
    close(rows.tables[Role.INPUT][INTI], [(20 * 1 + 15 * 3) / 11, (20 * 2 - 15 - 24 * 5) / 11])
    close(rows.tables[Role.BIAS][INTI], 3)
    assert rows.provenance.rules[INTI:] == ("clp", "fallback")


def test_clp_plus_keeps_the_most_similar_and_mixes_the_head_by_the_donors_head() -> None:
    # Sparsemax of 0.8, 0.6, -0.96: threshold (1.4 - 1) / 2 = 0.2. In the donor's head inti is the star's.
    tables = {Role.INPUT: TABLE, Role.OUTPUT: HEAD, Role.BIAS: BIAS}
    head = {"sun": [-1, 0], "moon": [0, -1], "star": [1, 1], "inti": [3, 3], "killa": [-2, 0]}
    found = rows_of("clp_plus", donor_context(donor(WEIGHED, head), tables))
    close(found[Role.INPUT][INTI], [0.6 * 1 + 0.4 * 3, 0.6 * 2 - 0.4])
    close(found[Role.OUTPUT][[INTI, KILLA]], [HEAD[STAR], HEAD[SUN]])
    close(found[Role.BIAS][[INTI, KILLA]], [6, 1])
    tied = rows_of("clp_plus", donor_context(donor(WEIGHED), tables))
    close(tied[Role.OUTPUT][INTI], [-(0.6 * 1 + 0.4 * 3), 2 * (0.6 * 2 - 0.4)])
    close(tied[Role.BIAS][INTI], 0.6 * 1 + 0.4 * 2)


# FOCUS's case: cosines 0.8, 0.6, 0 keep sun and moon, whatever their weights. killa has no vector.
STATIC = vectors(TARGET.size, {2: [1, 0, 0], 3: [0, 2, 0], 4: [0, 0, 5], INTI: [8, 6, 0]})
# In the donor inti (2,3,5) is nearest to a (1,0,0) + b (1,1,0) for b = 3, a = -1; star would fit better.
RECYCLED = {"sun": [1, 0, 0], "moon": [1, 1, 0], "star": [2, 3, 5], "inti": [2, 3, 5], "killa": [1, 1, 1]}


def test_salt_fits_the_donor_row_on_the_tokens_that_static_vectors_choose() -> None:
    plan = make("strategy", "salt").plan(donor_context(donor(RECYCLED), TARGET_VECTORS=STATIC))[Role.INPUT]
    assert plan.covered.tolist() == [True, False]
    assert weights(plan, 0) == pytest.approx({SUN: -1, MOON: 3}, rel=1e-5)
    found = rows_of("salt", donor_context(donor(RECYCLED), TARGET_VECTORS=STATIC))[Role.INPUT]
    close(found[INTI], [-1 + 9, -2 - 3])


def test_salt_is_the_pseudo_inverse_of_the_papers_formula() -> None:
    # X = pinv(D[anchors]) E[anchors], row = D[new] X, with all three anchors on two dimensions: the smallest X.
    static = vectors(TARGET.size, {2: [1, 0, 0], 3: [0, 1, 0], 4: [0, 0, 1], INTI: [5, 5, 5], KILLA: [5, 5, 4]})
    found = rows_of("salt", donor_context(donor(NEAR), TARGET_VECTORS=static))[Role.INPUT]
    anchors = np.array([NEAR["sun"], NEAR["moon"], NEAR["star"]], np.float64)
    mapped = np.array([NEAR["inti"], NEAR["killa"]]) @ np.linalg.pinv(anchors) @ np.array(TABLE[SUN : STAR + 1])
    close(found[[INTI, KILLA]], mapped.tolist())


# The source's sun, moon, star are the donor's, turned by a right angle, (x, y) -> (-y, x), and moved by (3, 1).
TURNED = {"sun": [1, 2], "moon": [-2, 0], "star": [4, 3], "inti": [2, 3], "killa": [0, -5]}


@pytest.mark.parametrize(
    ("method", "more"), [("procrustes", {}), ("pca", {}), ("least_squares", {}), ("ridge", {"penalty": 0.0})]
)
def test_landmark_map_undoes_a_rotation_and_a_shift(method: str, more: dict[str, float]) -> None:
    # sun (1,2) -> (-2,1) + (3,1) = (1,2) = TABLE[sun]; moon (-2,0) -> (0,-2) + (3,1) = (3,-1); star (4,3) -> (0,5).
    found = rows_of("landmark_map", donor_context(donor(TURNED)), method=method, scaling="centre", **more)[Role.INPUT]
    close(found[INTI], [-3 + 3, 2 + 1])
    close(found[KILLA], [5 + 3, 0 + 1])


def test_landmark_pca_cuts_the_wider_side_to_its_principal_axes() -> None:
    # The same plane inside three dimensions: (x, y) -> (y, 0, x), and 4 in the direction that does not vary.
    wider = {word: [y, 4, x] for word, (x, y) in TURNED.items()}
    for method in ("pca", "procrustes"):
        found = rows_of("landmark_map", donor_context(donor(wider)), method=method, scaling="centre")[Role.INPUT]
        close(found[INTI], [0, 3])


def test_landmark_map_works_in_standard_units() -> None:
    # The source is the donor with other units for each axis: row = (2 x - 1, -3 y + 5). Rotation cannot undo that;
    # standard units can, up to the sign of y, which an orthogonal map turns.
    units = {"sun": [1, 1], "moon": [2, 2], "star": [0.5, 0], "inti": [4, 3], "killa": [0, 2]}
    found = rows_of("landmark_map", donor_context(donor(units)))[Role.INPUT]
    close(found[[INTI, KILLA]], [[7, -4], [-1, -1]])


def test_landmark_map_draws_its_anchors_from_the_seed() -> None:
    ctx = donor_context(donor(NEAR))
    few = [rows_of("landmark_map", ctx, max_anchors=2, method="least_squares")[Role.INPUT] for _ in range(8)]
    assert len({tuple(rows[INTI].tolist()) for rows in few}) > 1
