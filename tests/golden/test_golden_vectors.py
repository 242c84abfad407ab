"""Strategies from static vectors on cases worked out by hand; the working stands in the comments."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from fixtures.hand_cases import close, weights
from fixtures.small_worlds import context, vectors, words
from lexigraft.core.data.dictionary import Dictionary
from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.plan import Dense, Mix
from lexigraft.core.grafting.resources import Compass, ParallelText, WordSpace, WordVectors
from lexigraft.core.grafting.rows import build_rows
from lexigraft.core.grafting.strategy import InitContext
from lexigraft.core.models.factorized import factorize
from lexigraft.core.models.tables import FloatTables, Role, tables_of
from lexigraft.core.registry import make
from lexigraft.testing.tiny_models import build, spec

SOURCE = words("sun", "moon", "star", "##s")
TARGET = words("sun", "inti", "killa", "##kuna")
SUN, MOON, STAR, S = 2, 3, 4, 5
SHARED, INTI, KILLA, KUNA = 2, 3, 4, 5
#        [PAD]   [UNK]   sun     moon    star    ##s
TABLE = [[0, 1], [2, 0], [1, 2], [3, -1], [0, 5], [6, -1]]
BIAS = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
Known = Mapping[str, tuple[Sequence[float], int]]


def space(known: Known) -> WordSpace:
    """Words in the given order, with vectors and counts."""
    rows = torch.tensor([v for v, _ in known.values()], dtype=torch.float32)
    return WordSpace(tuple(known), rows, np.array([n for _, n in known.values()], np.int64))


def spaces(source: Known, target: Known, shared: bool = True) -> WordVectors:
    return WordVectors(space(source), space(target), shared, {})


def vector_context(supplies: Mapping[Need, Any], every: bool = True) -> InitContext:
    """A context with a bias that asks for every token that a strategy of ``Scope.ALL`` is asked for."""
    ctx = context(SOURCE, TARGET, {Role.INPUT: TABLE, Role.BIAS: BIAS}, supplies)
    return replace(ctx, target_ids=np.array([SHARED, INTI, KILLA, KUNA])) if every else ctx


# Tokens of the source words: sun = sun, suns = sun ##s, moon = moon; star occurs in no word.
ENGLISH: Known = {"sun": ((1, 0), 3), "suns": ((0, 1), 1), "moon": ((3, 4), 2)}
# Tokens of the target words: inti = inti, intikuna = inti ##kuna; nothing holds sun or killa.
QUECHUA: Known = {"inti": ((0, 2), 1), "intikuna": ((0, 4), 1)}


@pytest.mark.parametrize("align", ["none", "dictionary"])
def test_wechsel_is_a_softmax_over_the_nearest_source_tokens(align: str) -> None:
    # u_sun = (3 (1,0) + 1 (0,1)) / 4, u_##s = (0,1), u_moon = (3,4); star has no vector. u_inti = (0,3), u_##kuna =
    # (0,4). Their cosines: ##s 1, moon 0.8, sun 0.25 / sqrt(0.625) = 0.316. The two nearest at temperature 0.5:
    # softmax(2, 1.6), so w = 1 / (1 + exp(-0.4)) for ##s. The dictionary turns by 90 degrees and the target space too.
    w = 1 / (1 + math.exp(-0.4))
    supplies: dict[Need, Any] = {Need.WORD_VECTORS: spaces(ENGLISH, QUECHUA)}
    if align == "dictionary":
        turned = {word: ((-y, x), n) for word, ((x, y), n) in QUECHUA.items()}
        pairs = {"quyllur": ((0, 1), 1), "wasi": ((-1, 0), 1)}
        english = {**ENGLISH, "star": ((1, 0), 1), "house": ((0, 1), 1)}
        supplies[Need.WORD_VECTORS] = spaces(english, {**turned, **pairs}, shared=False)
        supplies[Need.DICTIONARY] = Dictionary.of([("star", "quyllur"), ("house", "wasi"), ("moon", "killa")])
        # star is a token now, with u = (1,0): cosine 0 with inti, not among the two nearest.
    strategy = make("strategy", "wechsel", {"k": 2, "temperature": 0.5, "align": align})
    ctx = vector_context(supplies)
    plan = strategy.plan(ctx)
    assert plan.covered.tolist() == [False, True, False, True]
    for row in (1, 3):
        assert weights(plan, row) == pytest.approx({S: w, MOON: 1 - w}, abs=1e-5)
    tables = build_rows([strategy], ctx).tables
    close(tables[Role.INPUT][INTI], [6 * w + 3 * (1 - w), -1])
    close(tables[Role.BIAS][INTI], 5 * w + 3 * (1 - w))


def test_wechsel_estimates_shared_tokens_unless_told_to_copy() -> None:
    # The target word sun lies at (3,4), where the source's moon is.
    given = {Need.WORD_VECTORS: spaces(ENGLISH, {**QUECHUA, "sun": ((3, 4), 1)})}
    for identical, wanted, rule in (("estimate", TABLE[MOON], "wechsel"), ("copy", TABLE[SUN], "bytes")):
        strategy = make("strategy", "wechsel", {"k": 1, "align": "none", "identical": identical})
        rows = build_rows([strategy], vector_context(given))
        assert rows.tables[Role.INPUT][SHARED].tolist() == wanted
        assert rows.provenance.rules[SHARED] == rule
        assert rows.provenance.rules[INTI] == "wechsel"
        close(rows.tables[Role.INPUT][:2], TABLE[:2])


def test_a_shared_token_without_a_vector_keeps_its_source_row() -> None:
    rows = build_rows(
        [make("strategy", "wechsel", {"align": "none"})], vector_context({Need.WORD_VECTORS: spaces(ENGLISH, QUECHUA)})
    )
    assert rows.tables[Role.INPUT][SHARED].tolist() == TABLE[SUN]
    assert rows.provenance.rules[SHARED] == "bytes"


def test_a_source_token_without_a_vector_is_nobodys_neighbour() -> None:
    # Seen from (-1,-1) every cosine is negative. A zero vector would have cosine 0 and win; with k = 3 of 3 all others
    # share the row, and star, without a vector, does not.
    given = {Need.WORD_VECTORS: spaces(ENGLISH, {"inti": ((-1, -1), 1)})}
    plan = make("strategy", "wechsel", {"align": "none"}).plan(vector_context(given))
    assert set(weights(plan, 1)) == {SUN, MOON, S}


def test_wechsel_spells_tokens_from_character_ngrams() -> None:
    # inti is spelled (1,0), as sun is; ##kuna and killa cannot be spelled.
    def spelling(known: Mapping[str, Sequence[float]]) -> Any:
        return lambda texts: np.array([known.get(text, (0, 0)) for text in texts], np.float32)

    both = spaces(ENGLISH, QUECHUA)
    spelled = replace(
        both,
        source=replace(both.source, spell=spelling({"sun": (1, 0), "moon": (0, 1), "s": (1, 1)})),
        target=replace(both.target, spell=spelling({"inti": (1, 0)})),
    )
    ctx = vector_context({Need.WORD_VECTORS: spelled})
    plan = make("strategy", "wechsel", {"k": 1, "align": "none"}).plan(ctx)
    assert plan.covered.tolist() == [False, True, False, False]
    assert weights(plan, 1) == {SUN: 1.0}
    assert ctx.journal.notes == ["Token vectors come from character n-grams."]
    by_words = make("strategy", "wechsel", {"k": 1, "align": "none", "token_vectors": "words"}).plan(ctx)
    assert weights(by_words, 1) == {S: 1.0}
    with pytest.raises(LexigraftError, match=r"cannot spell.*source vectors"):
        make("strategy", "wechsel", {"align": "none", "token_vectors": "ngrams"}).plan(
            vector_context({Need.WORD_VECTORS: replace(spelled, source=both.source)})
        )


def test_the_wider_target_space_is_reduced_not_the_source() -> None:
    # The reference code reduces the source space again where the target space is the wider one, and fails. The target
    # vectors (x, 9, y) vary in two directions only; the second is left out, whatever its length.
    wide = {"inti": ((0, 9, 1), 1), "killa": ((2, 9, 0), 1), "wasi": ((-2, 9, 0), 1), "rumi": ((0, 9, -1), 1)}
    english: Known = {"sun": ((0, 1), 1), "moon": ((1, 0), 1), "star": ((-1, 0), 1)}
    pairs = Dictionary.of([("sun", "inti"), ("moon", "killa"), ("star", "wasi")])
    ctx = vector_context({Need.WORD_VECTORS: spaces(english, wide, shared=False), Need.DICTIONARY: pairs})
    plan = make("strategy", "wechsel", {"k": 1}).plan(ctx)
    assert [weights(plan, n) for n in (1, 2)] == [{SUN: 1.0}, {MOON: 1.0}]


def test_two_spaces_are_not_taken_for_one() -> None:
    given = {Need.WORD_VECTORS: spaces(ENGLISH, QUECHUA, shared=False)}
    for name, fields in (("wechsel", {"align": "none"}), ("ofa", {}), ("ramen", {})):
        with pytest.raises(LexigraftError, match="lie in two spaces"):
            make("strategy", name, fields).plan(vector_context(given))


def test_a_thin_dictionary_is_noted_and_a_foreign_one_refused() -> None:
    given = {Need.WORD_VECTORS: spaces(ENGLISH, QUECHUA), Need.DICTIONARY: Dictionary.of([("sun", "inti")])}
    ctx = vector_context(given)
    make("strategy", "wechsel").plan(replace(ctx, target_ids=np.array([INTI])))
    assert "The dictionary has 1 pairs of words with vectors for 2 dimensions" in ctx.journal.notes[-1]
    given[Need.DICTIONARY] = Dictionary.of([("Sonne", "inti")])
    with pytest.raises(LexigraftError, match="no pair of the dictionary"):
        make("strategy", "wechsel").plan(vector_context(given))


def test_ofa_takes_plain_means_over_words_and_copies_shared_tokens() -> None:
    # Counts do not matter: u_sun = ((1,0) + (0,1)) / 2, u_##s = (0,1), u_moon = (3,4). u_inti = (0,3): cosines
    # ##s 1, moon 0.8, sun 0.707. At temperature 0.1 the two nearest are softmax(10, 8).
    w = 1 / (1 + math.exp(-2))
    ctx = vector_context({Need.WORD_VECTORS: spaces(ENGLISH, {**QUECHUA, "sun": ((0, 1), 9)})})
    strategy = make("strategy", "ofa", {"k": 2})
    plan = strategy.plan(ctx)
    assert plan.covered.tolist() == [False, True, False, True]
    assert weights(plan, 1) == pytest.approx({S: w, MOON: 1 - w}, abs=1e-5)
    rows = build_rows([strategy], ctx)
    assert rows.tables[Role.INPUT][SHARED].tolist() == TABLE[SUN]
    assert rows.tables[Role.BIAS][SHARED].item() == BIAS[SUN]
    assert rows.provenance.rules[2:] == ("bytes", "ofa", "fallback", "ofa")
    # sun alone shares its direction with nobody: by frequency (3 to 1) its cosine with (1,1) is 0.894, by plain mean 1.
    even = {Need.WORD_VECTORS: spaces(ENGLISH, {"inti": ((1, 1), 1)})}
    assert weights(make("strategy", "ofa", {"k": 1}).plan(vector_context(even)), 1) == {SUN: 1.0}
    assert weights(make("strategy", "wechsel", {"k": 1, "align": "none"}).plan(vector_context(even)), 1) == {MOON: 1.0}


def test_ofa_looks_at_capitalised_words_too() -> None:
    target = words("Inti", "Killa")
    given = {Need.WORD_VECTORS: spaces(ENGLISH, {"inti": ((1, 1), 1)})}
    ctx = context(SOURCE, target, {Role.INPUT: TABLE}, given)
    assert make("strategy", "ofa").plan(ctx).covered.tolist() == [True, False]
    assert make("strategy", "wechsel", {"align": "none"}).plan(ctx).covered.tolist() == [False, False]


#              [PAD]   [UNK]    sun     moon     star    ##s
CROSSED = [[2, 1], [2, -1], [2, 1], [2, -1], [4, 0], [4, 0]]


def test_ofa_with_a_rank_keeps_the_leading_direction_of_the_source_table() -> None:
    # The columns of CROSSED are orthogonal, with squared lengths 48 and 4: S = (sqrt(48), 2), V the axes. With rank 1
    # every row loses its second number: inti = w (4,0) + (1-w) (2,-1) becomes (4 w + 2 (1-w), 0).
    w = 1 / (1 + math.exp(-2))
    given = {Need.WORD_VECTORS: spaces(ENGLISH, QUECHUA)}
    ctx = replace(context(SOURCE, TARGET, {Role.INPUT: CROSSED, Role.BIAS: BIAS}, given), target_ids=np.arange(2, 6))
    plan = make("strategy", "ofa", {"k": 2, "rank": 1}).plan(ctx)
    part = plan[Role.INPUT]
    assert isinstance(part, Dense)
    assert part.covered.tolist() == [True, True, False, True]
    close(part.rows[:2], [[2, 0], [4 * w + 2 * (1 - w), 0]])
    assert isinstance(plan[Role.BIAS], Mix)
    rows = build_rows([make("strategy", "ofa", {"k": 2, "rank": 1})], ctx)
    close(rows.tables[Role.INPUT][SHARED], [2, 0])
    close(rows.tables[Role.INPUT][:2], CROSSED[:2])  # special tokens are copied by their roles, at full rank
    close(rows.tables[Role.BIAS][INTI], 5 * w + 3 * (1 - w))
    whole = build_rows([make("strategy", "ofa", {"k": 2, "rank": 2})], ctx).tables
    plain = build_rows([make("strategy", "ofa", {"k": 2})], ctx).tables
    close(whole[Role.INPUT][[SHARED, INTI, KUNA]], plain[Role.INPUT][[SHARED, INTI, KUNA]].tolist())
    with pytest.raises(LexigraftError, match="rank is beyond"):
        make("strategy", "ofa", {"rank": 3}).plan(ctx)


def test_ofas_rows_come_through_the_factorized_modules_as_they_are() -> None:
    # The rows of `ofa` lie on the source table's leading directions, so `factorize` with that basis keeps them.
    model = build(spec("roberta-tied-bias"))
    source = {role: table.detach().clone() for role, table in tables_of(model).by_role.items()}
    size = len(source[Role.INPUT])
    mix = Mix.from_rows([([7, 11], [0.25, 0.75])])
    ctx = replace(context(SOURCE, TARGET, {Role.INPUT: TABLE}), tables=FloatTables(source), target_ids=np.array([INTI]))
    ctx = replace(ctx, source=replace(SOURCE, tokens=tuple(map(str, range(size)))))
    row = make("strategy", "ofa", {"rank": 5})._factorized(mix, ctx)[Role.INPUT].rows[0]
    assert (row - (0.25 * source[Role.INPUT][7] + 0.75 * source[Role.INPUT][11])).abs().max() > 1e-2
    with torch.no_grad():
        model.get_input_embeddings().weight[3] = row
    factorize(model, 5, basis=source)
    torch.testing.assert_close(model.get_input_embeddings().weight[3], row, atol=1e-5, rtol=0)


def test_ramen_is_a_sparsemax_over_all_source_tokens_and_mixes_the_bias() -> None:
    # By rank, not by count: u_sun = (1 (1,0) + 1/2 (0,1)) / (3/2) = (2/3, 1/3), u_##s = (0,1), u_moon = (3,-4).
    # u_inti = (0,3): cosines ##s 1, sun 1/sqrt(5), moon -0.8; threshold over two (1 + 0.4472 - 1) / 2 = 0.2236.
    english = {"sun": ((1, 0), 3), "suns": ((0, 1), 1), "moon": ((3, -4), 1)}
    ctx = vector_context({Need.WORD_VECTORS: spaces(english, QUECHUA)})
    strategy = make("strategy", "ramen")
    plan = strategy.plan(ctx)
    w = 1 - 1 / math.sqrt(5) / 2
    assert plan.covered.tolist() == [False, True, False, True]
    assert weights(plan, 1) == pytest.approx({S: w, SUN: 1 - w}, abs=1e-5)
    tables = build_rows([strategy], ctx).tables
    close(tables[Role.INPUT][INTI], [6 * w + (1 - w), -w + 2 * (1 - w)])
    close(tables[Role.BIAS][INTI], 5 * w + 2 * (1 - w))


def by_position(source: Sequence[Sequence[str]], target: Sequence[Sequence[str]]) -> list[list[tuple[int, int]]]:
    return [[(n, n) for n in range(min(len(s), len(t)))] for s, t in zip(source, target, strict=True)]


def test_ramen_counts_links_of_parallel_text() -> None:
    # Linked by position: inti with sun twice and with moon once; sun with star once; the unknown word links nothing.
    text = ParallelText(("sun star", "sun", "moon", "rabbit"), ("inti sun", "inti", "inti", "killa"), by_position, {})
    ctx = vector_context({Need.PARALLEL: text})
    strategy = make("strategy", "ramen", {"evidence": "parallel"})
    plan = strategy.plan(ctx)
    assert weights(plan, 0) == {STAR: 1.0}
    assert weights(plan, 1) == pytest.approx({SUN: 2 / 3, MOON: 1 / 3})
    assert plan.covered.tolist() == [True, True, False, False]
    tables = build_rows([strategy], ctx).tables
    close(tables[Role.INPUT][INTI], [(2 * 1 + 3) / 3, (2 * 2 - 1) / 3])
    close(tables[Role.BIAS][INTI], (2 * 2 + 3) / 3)
    often = make("strategy", "ramen", {"evidence": "parallel", "min_count": 2}).plan(ctx)
    assert weights(often, 1) == {SUN: 1.0}
    assert often.covered.tolist() == [False, True, False, False]


def test_what_each_configuration_needs() -> None:
    words_only, both = frozenset({Need.WORD_VECTORS}), frozenset({Need.WORD_VECTORS, Need.DICTIONARY})
    for name, fields, needs in (
        ("wechsel", {}, both),
        ("wechsel", {"align": "none"}, words_only),
        ("ofa", {}, words_only),
        ("ofa", {"align": "dictionary"}, both),
        ("ramen", {}, words_only),
        ("ramen", {"align": "dictionary"}, both),
        ("ramen", {"evidence": "parallel"}, frozenset({Need.PARALLEL})),
    ):
        assert make("strategy", name, fields).required_needs() == needs


def test_semantic_overlap_copies_other_casings_and_mutual_neighbours_and_mixes_over_both() -> None:
    # Moon is moon in lower case. In the compass inti and star are each other's nearest (cosine 1 to 0.995...), killa's
    # nearest is star too, but star's is inti. killa is mixed: cosines 0.8 with sun, 0.6 with Moon, 0 with inti, so by
    # sparsemax 0.6 and 0.4 (threshold (1.4 - 1) / 2 = 0.2). wasi has no vector at all.
    target = words("sun", "Moon", "inti", "killa", "wasi")
    compass = Compass(
        vectors(SOURCE.size, {SUN: [1, 0], STAR: [0, 1]}),
        vectors(target.size, {2: [1, 0], 4: [0.1, 1], 5: [0.3, 1]}),
    )
    static = vectors(target.size, {2: [2, 0, 0], 3: [0, 1, 0], 4: [0, 0, 3], 5: [8, 6, 0]})
    ctx = context(SOURCE, target, {Role.INPUT: TABLE}, {Need.TARGET_VECTORS: static, Need.COMPASS: compass})
    plan = make("strategy", "semantic_overlap").plan(ctx)
    assert [weights(plan, n) for n in (0, 1, 3)] == [{MOON: 1.0}, {STAR: 1.0}, {}]
    assert weights(plan, 2) == pytest.approx({SUN: 0.6, MOON: 0.4}, abs=1e-6)
    assert ctx.journal.notes == [
        "Beyond the matched tokens 1 overlap in lower case and 1 as mutual nearest neighbours."
    ]
    # FOCUS has one anchor, sun, and gives it all.
    assert weights(make("strategy", "focus").plan(ctx), 2) == {SUN: 1.0}
    far = replace(static, present=np.zeros(target.size, np.bool_))
    ctx = context(SOURCE, target, {Role.INPUT: TABLE}, {Need.TARGET_VECTORS: far, Need.COMPASS: compass})
    assert make("strategy", "semantic_overlap").plan(ctx).covered.tolist() == [True, True, False, False]


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("wechsel", {"k": 0}),
        ("wechsel", {"temperature": 0.0}),
        ("ofa", {"k": 0}),
        ("ofa", {"rank": -1}),
        ("ramen", {"min_count": 0}),
        ("semantic_overlap", {"temperature": -1.0}),
    ],
)
def test_impossible_fields_are_refused(name: str, fields: dict[str, Any]) -> None:
    with pytest.raises(LexigraftError):
        make("strategy", name, fields)
