"""Strategies that need nothing but spelling or statistics, each on a case worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from fixtures.hand_cases import close, rows_of, weights
from fixtures.small_worlds import context, words
from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.rows import build_rows
from lexigraft.core.grafting.strategy import InitContext
from lexigraft.core.models.tables import Role
from lexigraft.core.registry import make
from lexigraft.core.tokenization.vocabulary import Vocabulary

SOURCE = words("play", "un", "##play", "##ing", "##s")
PLAY, UN, _PLAY, _ING, _S = range(2, 7)
TARGET = words("play", "plays", "unplaying", "inti")
PLAYS, UNPLAYING, INTI = 3, 4, 5
#             [PAD]   [UNK]   play     un      ##play   ##ing    ##s
TABLE = [[9, 9], [8, 8], [5, 0], [0, 10], [7, -7], [14, 7], [0, 5]]
HEAD = [[9, 9], [8, 8], [1, 0], [0, 9], [9, 9], [18, 0], [6, 1]]
BIAS = [0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 6.0]
UNTIED = {Role.INPUT: TABLE, Role.OUTPUT: HEAD, Role.BIAS: BIAS}
TIED = {Role.INPUT: TABLE, Role.BIAS: BIAS}


def finished_tables(name: str, tables: dict[Role, Any], **fields: object) -> dict[Role, torch.Tensor]:
    """Finished tables, with the rows nobody covers at the mean."""
    return rows_of(name, context(SOURCE, TARGET, tables), fallback="mean", **fields)


PIECES = ("subword_mean", "char_length", "position_exponential", "first_last", "bil", "vipi", "merge_tree")


@pytest.mark.parametrize("tables", [UNTIED, TIED], ids=["untied", "tied"])
@pytest.mark.parametrize("name", PIECES)
def test_what_nothing_spells_stays_uncovered(name: str, tables: dict[Role, Any]) -> None:
    rows = build_rows([make("strategy", name)], context(SOURCE, TARGET, tables), fallback="mean")
    assert rows.provenance.rules[INTI] == "fallback"
    assert set(rows.tables) == set(tables)


def test_char_length_weighs_pieces_by_their_characters() -> None:
    # plays = play + ##s, 4 and 1 characters: (4 (5,0) + (0,5)) / 5 = (4,1); bias (4 + 6) / 5.
    # unplaying = un + ##play + ##ing, 2, 4 and 3: (2 (0,10) + 4 (7,-7) + 3 (14,7)) / 9 = (70,13) / 9.
    found = finished_tables("char_length", UNTIED)
    close(found[Role.INPUT][[PLAYS, UNPLAYING]], [[4, 1], [70 / 9, 13 / 9]])
    close(found[Role.OUTPUT][UNPLAYING], [(0 + 36 + 54) / 9, (18 + 36 + 0) / 9])
    close(found[Role.BIAS][[PLAYS, UNPLAYING]], [2, (4 + 12 + 12) / 9])


def test_char_length_counts_characters_not_bytes_and_fragments_as_one() -> None:
    # "ñan" is 4 bytes and 3 characters beside "##s": weights 3/4 and 1/4.
    source, target = words("ñan", "##s"), words("ñans")
    plan = make("strategy", "char_length").plan(context(source, target, {Role.INPUT: [[0, 0]] * 4}))
    assert weights(plan, 0) == pytest.approx({2: 3 / 4, 3: 1 / 4})


def test_position_exponential_leans_to_the_last_piece_in_and_the_first_out() -> None:
    # Weights 2, 4, 8 over 14 in, 4, 2, 1 over 7 out. In: ((0,10) + 2 (7,-7) + 4 (14,7)) / 7 = (70,24) / 7.
    # Out: (4 (0,9) + 2 (9,9) + (18,0)) / 7 = (36,54) / 7. The bias is the head's: (4*2 + 2*3 + 4) / 7.
    found = finished_tables("position_exponential", UNTIED)
    close(found[Role.INPUT][UNPLAYING], [10, 24 / 7])
    close(found[Role.OUTPUT][UNPLAYING], [36 / 7, 54 / 7])
    close(found[Role.BIAS][UNPLAYING], 18 / 7)


def test_position_exponential_of_tied_tables_follows_the_input_rule_bias_included() -> None:
    # (2 + 2*3 + 4*4) / 7 = 24/7: the logit of the new token is the same mixture of the old logits.
    found = finished_tables("position_exponential", TIED)
    close(found[Role.INPUT][UNPLAYING], [10, 24 / 7])
    close(found[Role.BIAS][UNPLAYING], 24 / 7)


@pytest.mark.parametrize(("base", "wanted"), [(1.0, [1 / 3] * 3), (0.5, [4 / 7, 2 / 7, 1 / 7]), (1e300, [0, 0, 1])])
def test_position_exponentials_base(base: float, wanted: list[float]) -> None:
    plan = make("strategy", "position_exponential", {"base": base}).plan(context(SOURCE, TARGET, UNTIED))
    assert list(weights(plan[Role.INPUT], 1).values()) == pytest.approx(wanted)
    assert list(weights(plan[Role.OUTPUT], 1).values()) == pytest.approx(wanted[::-1])


def test_first_last_reads_the_mean_and_says_the_first_piece() -> None:
    # In: ((0,10) + (7,-7) + (14,7)) / 3 = (7, 10/3). Out and bias: un.
    found = finished_tables("first_last", UNTIED)
    close(found[Role.INPUT][UNPLAYING], [7, 10 / 3])
    close(found[Role.OUTPUT][UNPLAYING], HEAD[UN])
    close(found[Role.BIAS][UNPLAYING], 2)
    close(finished_tables("first_last", UNTIED, input="last")[Role.INPUT][UNPLAYING], TABLE[_ING])
    tied = finished_tables("first_last", TIED)
    close(tied[Role.INPUT][UNPLAYING], [7, 10 / 3])
    close(tied[Role.BIAS][UNPLAYING], 3)


def test_bil_gives_the_input_row_the_median_norm_of_its_script_and_the_head_a_weighted_mean() -> None:
    # Norms of the Latin tokens: 5, 10, 7 sqrt 2 = 9.899, 7 sqrt 5 = 15.65, 5; sorted 5, 5, 9.899, 10, 15.65: median
    # 7 sqrt 2. plays: mean (2.5, 2.5) of norm 2.5 sqrt 2 becomes (7, 7). The head and its bias are char_length's.
    found = finished_tables("bil", UNTIED)
    close(found[Role.INPUT][PLAYS], [7, 7])
    close(found[Role.OUTPUT][UNPLAYING], [10, 6])
    close(found[Role.BIAS][PLAYS], 2)
    # Tied: the input rule; the bias has the weights of the mean, (1 + 6) / 2.
    tied = finished_tables("bil", TIED)
    close(tied[Role.INPUT][PLAYS], [7, 7])
    close(tied[Role.BIAS][PLAYS], 3.5)
    assert weights(make("strategy", "bil").plan(context(SOURCE, TARGET, TIED))[Role.INPUT], 0) == {PLAY: 0.5, _S: 0.5}


def test_bils_median_of_an_even_number_lies_between_the_middle_two() -> None:
    # Norms 5, 10 and of "##s" 5, 20 in all: median (5 + 10) / 2. The mean of sun and ##s is (0, 5) -> (0, 7.5).
    source, target = words("sun", "moon", "star", "##s"), words("suns")
    table = [[9, 9], [8, 8], [0, 5], [10, 0], [20, 0], [0, 5]]
    found = build_rows([make("strategy", "bil")], context(source, target, {Role.INPUT: table})).tables
    close(found[Role.INPUT][2], [0, 7.5])


def test_vipi_averages_the_shortest_partitions_with_the_longest_parts() -> None:
    # abcd in two parts: a|bcd, ab|cd and abc|d. The longest part can have 3 letters: a|bcd and abc|d tie (a
    # word start is no letter).
    source = words("a", "ab", "abc", "##bcd", "##cd", "##d", "##b", "##c")
    plan = make("strategy", "vipi").plan(context(source, words("abcd"), {Role.INPUT: [[0, 0]] * 10}))
    assert weights(plan, 0) == pytest.approx({2: 1 / 4, 5: 1 / 4, 4: 1 / 4, 7: 1 / 4})


def test_vipi_does_not_ask_the_tokenizer() -> None:
    # WordPiece is greedy: playsing -> plays + ##i + ##n + ##g; two parts do as well: play + ##sing.
    source = words("plays", "play", "##sing", "##i", "##n", "##g")
    ctx = context(source, words("playsing"), {Role.INPUT: [[0, 0]] * 8})
    assert weights(make("strategy", "vipi").plan(ctx), 0) == pytest.approx({3: 1 / 2, 4: 1 / 2})
    assert len(weights(make("strategy", "subword_mean").plan(ctx), 0)) == 4


def test_vipi_keeps_the_word_start() -> None:
    # "##sing" inside a word may not begin with the word-initial "sing".
    source, target = words("sing", "##s", "##ing", "s"), words("##sing")
    plan = make("strategy", "vipi").plan(context(source, target, {Role.INPUT: [[0, 0]] * 6}))
    assert weights(plan, 0) == pytest.approx({3: 1 / 2, 4: 1 / 2})


def bpe(tokens: str, *merges: str) -> Vocabulary:
    """A byte-level BPE vocabulary: the tokens in order, an unknown token behind them."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    listed = [*tokens.split(), "<unk>"]
    pairs = [(left, right) for left, right in (merge.split("+") for merge in merges)]
    backend = Tokenizer(models.BPE({t: i for i, t in enumerate(listed)}, pairs))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return Vocabulary.of(PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>"))


LETTERS = bpe("a b c ab", "a+b")
#             a       b       c       ab       <unk>
IN, OUT = [[8, 0], [0, 8], [4, 4], [16, 0], [9, 9]], [[0, 1], [2, 0], [0, 0], [1, 1], [9, 9]]
MERGED = bpe("a b c ab bc abc abcbc", "a+b", "b+c", "ab+c", "a+bc", "abc+bc")
BC, ABC, ABCBC = 4, 5, 6


def merge_rows(tables: dict[Role, Any], target: Vocabulary = MERGED) -> dict[Role, torch.Tensor]:
    return dict(build_rows([make("strategy", "merge_tree")], context(LETTERS, target, tables)).tables)


def test_merge_tree_averages_parents_over_alternative_merges() -> None:
    # bc = (b + c) / 2 = (2,6). abc = ab + c or a + bc: ((16,0) + (4,4)) / 2 = (10,2) and ((8,0) + (2,6)) / 2 = (5,3),
    # mean (7.5,2.5). abcbc = (abc + bc) / 2 = (4.75,4.25). ab has a twin, so it is the twin and not (a + b) / 2.
    close(merge_rows({Role.INPUT: IN})[Role.INPUT][[BC, ABC, ABCBC]], [[2, 6], [7.5, 2.5], [4.75, 4.25]])
    plan = make("strategy", "merge_tree").plan(context(LETTERS, MERGED, {Role.INPUT: IN}))
    assert weights(plan, 1) == pytest.approx({3: 1 / 4, 2: 1 / 4 + 1 / 8, 0: 1 / 4, 1: 1 / 8})


def test_merge_tree_builds_an_untied_head_of_head_rows_where_the_reference_code_recurses_into_the_input_matrix() -> (
    None
):
    # Head: bc = (1,0); abc = mean of ((1,1) + (0,0)) / 2 and ((0,1) + (1,0)) / 2 = (0.5,0.5). The reference takes the
    # nested bc from the input matrix, (2,6), and would give (0.25,0.25)/1 + ((0,1) + (2,6)) / 4 = (0.75,2).
    found = merge_rows({Role.INPUT: IN, Role.OUTPUT: OUT})[Role.OUTPUT]
    close(found[[BC, ABC]], [[1, 0], [0.5, 0.5]])
    assert not torch.allclose(found[ABC], torch.tensor([0.75, 2.0]))


def test_merge_tree_leaves_out_merges_it_cannot_make() -> None:
    # x has no twin: of xa nothing can be said; abc = ab + c counts, "xa + bc" does not.
    target = bpe("a b c ab bc x xa xabc", "a+b", "b+c", "x+a", "xa+bc")
    plan = make("strategy", "merge_tree").plan(context(LETTERS, target, {Role.INPUT: IN}))
    assert plan.covered.tolist() == [True, False, False, False]


def test_merge_tree_without_merges_takes_every_split_into_two_tokens() -> None:
    # plays = play|##s only; unplaying = un|##playing, unplay|##ing: both halves that are new are made themselves.
    # ##playing = ##play|##ing, unplay = un|##play. Half un + quarter play + quarter ing, and the mirror image.
    target = words("play", "plays", "un", "##play", "##ing", "##s", "##playing", "unplay", "unplaying")
    plan = make("strategy", "merge_tree").plan(context(SOURCE, target, {Role.INPUT: TABLE}))
    assert weights(plan, 0) == pytest.approx({PLAY: 1 / 2, _S: 1 / 2})
    assert weights(plan, 3) == pytest.approx({UN: 3 / 8, _PLAY: 1 / 4, _ING: 3 / 8})


def test_merge_tree_without_a_split_into_two_takes_the_fewest() -> None:
    # No half of "playings" is a token: play|##ing|##s it is.
    target = words("play", "##ing", "##s", "playings")
    plan = make("strategy", "merge_tree").plan(context(SOURCE, target, {Role.INPUT: TABLE}))
    assert weights(plan, 0) == pytest.approx({PLAY: 1 / 3, _ING: 1 / 3, _S: 1 / 3})


def test_subword_mean_names_a_piece_that_occurs_twice_once() -> None:
    target = bpe("a b c ab abab", "a+b", "ab+ab")
    plan = make("strategy", "subword_mean").plan(context(LETTERS, target, {Role.INPUT: IN}))
    assert weights(plan, 0) == {3: 1.0}


def test_zip_tie_averages_the_bytes_of_a_byte_level_source() -> None:
    # By pieces: Ġ + ab. By bytes: Ġ + a + b; the word start is the space's own token.
    source, target = bpe("a b Ġ ab", "a+b"), bpe("a b Ġ ab Ġab", "a+b", "Ġ+ab")
    ctx = context(source, target, {Role.INPUT: [[0, 0]] * 5})
    assert weights(make("strategy", "fvt").plan(ctx), 0) == pytest.approx({2: 1 / 2, 3: 1 / 2})
    assert weights(make("strategy", "zip_tie").plan(ctx), 0) == pytest.approx({2: 1 / 3, 0: 1 / 3, 1: 1 / 3})


def test_zip_tie_averages_byte_fallback_pieces_and_leaves_words_of_other_sources() -> None:
    from lexigraft.testing.tiny_tokenizers import tiny_tokenizer

    source = Vocabulary.of(tiny_tokenizer("bpe_byte_fallback", "source"))
    target = words("añ")
    plan = make("strategy", "zip_tie").plan(context(source, target, {Role.INPUT: np.zeros((source.size, 2)).tolist()}))
    spelled = [source.tokens[i] for i in weights(plan, 0)]
    assert spelled == ["▁", "<0x61>", "<0xC3>", "<0xB1>"]
    plan = make("strategy", "zip_tie").plan(context(SOURCE, TARGET, {Role.INPUT: TABLE}))
    assert plan.covered.tolist() == [False] * 3


def test_zero_is_zero_and_its_bias_the_mean() -> None:
    found = finished_tables("zero", UNTIED)
    assert not found[Role.INPUT][[PLAYS, UNPLAYING, INTI]].any()
    assert not found[Role.OUTPUT][[PLAYS, UNPLAYING, INTI]].any()
    close(found[Role.BIAS][[PLAYS, UNPLAYING, INTI]], [16 / 7] * 3)
    close(found[Role.INPUT][2], TABLE[PLAY])


def many(tables: dict[Role, Any], rows: int = 20_000) -> InitContext:
    return replace(context(SOURCE, TARGET, tables), target_ids=np.full(rows, INTI))


CROSS = [[3, 0], [-1, 0], [1, 1], [1, -1], [1, 2], [1, -2], [1, 0]]


def test_multivariate_has_the_mean_and_covariance_of_the_table() -> None:
    # CROSS: mean (1, 0), squares about it 4 + 4 and 1 + 1 + 4 + 4, products 0: covariance diag(8/7, 10/7) over n = 7.
    # SLANT turns it by the matrix [[1, 1], [0, 1]]: (x, y) -> (x, x + y), mean (1, 1).
    slant = [[x, x + y] for x, y in CROSS]
    rows = make("strategy", "multivariate", {"covariance": "full"}).plan(many({Role.INPUT: slant}))[Role.INPUT].rows
    close_to = {"atol": 0.05, "rtol": 0}
    torch.testing.assert_close(rows.mean(0), torch.tensor([1.0, 1.0]), **close_to)
    wanted = torch.tensor([[8 / 7, 8 / 7], [8 / 7, 18 / 7]])
    torch.testing.assert_close(torch.cov(rows.T), wanted, **close_to)


def test_multivariate_is_scaled_by_hewitts_factor_where_mergekit_draws_at_full_size() -> None:
    full = make("strategy", "multivariate", {"covariance": "full"}).plan(many({Role.INPUT: CROSS}))[Role.INPUT].rows
    small = make("strategy", "multivariate").plan(many({Role.INPUT: CROSS}))[Role.INPUT].rows
    centre = torch.tensor([1.0, 0.0])
    torch.testing.assert_close(small - centre, (full - centre) * math.sqrt(1e-5), atol=1e-6, rtol=0)


def test_multivariate_takes_a_covariance_without_full_rank_where_mergekit_crashes() -> None:
    # Every row is a multiple of (1, 2): so is every draw. A table of equal rows has no spread at all.
    line = [[x, 2 * x] for x in range(7)]
    rows = make("strategy", "multivariate", {"covariance": "full"}).plan(many({Role.INPUT: line}))[Role.INPUT].rows
    torch.testing.assert_close(rows[:, 1], 2 * rows[:, 0], atol=1e-4, rtol=0)
    assert float(rows[:, 0].std()) == pytest.approx(2, abs=0.05)
    still = make("strategy", "multivariate", {"covariance": "full"}).plan(many({Role.INPUT: [[1, 2]] * 7}))
    close(still[Role.INPUT].rows[:3], [[1, 2]] * 3)


def test_multivariates_bias_stays_inside_the_range_of_the_source_biases() -> None:
    # BIAS: mean 16/7, deviation over n sqrt(66/7 - (16/7)^2) = 2.05.
    plan = make("strategy", "multivariate", {"covariance": "full"}).plan(many(TIED))
    bias = plan[Role.BIAS].rows
    assert (float(bias.min()), float(bias.max())) == (0.0, 6.0)
    assert float(bias.median()) == pytest.approx(16 / 7, abs=0.05)
    scaled = make("strategy", "multivariate").plan(many(TIED))[Role.BIAS].rows
    assert float(scaled.std(correction=0)) == pytest.approx(math.sqrt((66 / 7 - (16 / 7) ** 2) * 1e-5), rel=0.05)


WRITTEN = words("sun", "moon", "##s", "##ed", "да", "нет")
#                [PAD]   [UNK]   sun     moon    ##s     ##ed     да      нет
WRITTEN_ROWS = [[99, 9], [99, 9], [0, 0], [2, 0], [4, 1], [4, 3], [10, 5], [12, 5]]


@pytest.mark.parametrize(
    ("token", "min_tokens", "mean", "deviation"),
    [
        # Latin at a word start: sun, moon. Mean (1,0), deviation sqrt(2), 0 (over one less than their number).
        ("star", 2, [1, 0], [math.sqrt(2), 0]),
        # Latin inside a word: ##s, ##ed.
        ("##ing", 2, [4, 2], [0, math.sqrt(2)]),
        # No Cyrillic inside a word: all Cyrillic, да and нет.
        ("##ли", 2, [11, 5], [math.sqrt(2), 0]),
        # No Greek: all word starts, sun moon да нет: mean (6, 2.5), squares 36 16 16 36 = 104 and 4 * 6.25 = 25.
        ("και", 2, [6, 2.5], [math.sqrt(104 / 3), math.sqrt(25 / 3)]),
        # Latin at a word start has 2 < 3 tokens: all four Latin ones, mean (2.5,1), squares 6.25 .25 2.25 2.25 = 11 and
        # 1 1 0 4 = 6.
        ("star", 3, [2.5, 1], [math.sqrt(11 / 3), math.sqrt(2)]),
        # Nobody has 6 tokens together but all: mean (32/6, 14/6).
        ("star", 6, [32 / 6, 14 / 6], [math.sqrt(280 / 5 - 32**2 / 30), math.sqrt(60 / 5 - 14**2 / 30)]),
    ],
)
def test_script_position_draws_around_the_narrowest_cell_with_enough_tokens(
    token: str, min_tokens: int, mean: list[float], deviation: list[float]
) -> None:
    tables = {Role.INPUT: WRITTEN_ROWS, Role.BIAS: [float(x) for x, _ in WRITTEN_ROWS]}
    ctx = context(WRITTEN, words(token), tables, seed=5)
    plan = make("strategy", "script_position", {"min_tokens": min_tokens}).plan(ctx)
    draw = torch.randn(1, 2, generator=torch.Generator().manual_seed(5))[0]
    close(plan[Role.INPUT].rows[0], (torch.tensor(mean) + torch.tensor(deviation) * draw).tolist())
    close(plan[Role.BIAS].rows[0], mean[0])


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("position_exponential", {"base": 0}, "base"),
        ("position_exponential", {"base": math.inf}, "base"),
        ("multivariate", {"scale": 0}, "scale"),
        ("script_position", {"min_tokens": 1}, "min_tokens"),
        ("first_last", {"input": "first"}, "input"),
        ("subword_mean", {"pieces": "letters"}, "pieces"),
    ],
)
def test_values_that_cannot_be_are_refused(name: str, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(LexigraftError, match=message):
        make("strategy", name, fields)
