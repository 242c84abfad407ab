"""Vocabularies extended by every method: cases by hand, and the laws on every family."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.editing.extended_unigram import LENGTH_COST
from lexigraft.core.tokenization.editing.extension import check_extendable, extend
from lexigraft.core.tokenization.editing.rebuilding import description_of, merges_of
from lexigraft.core.tokenization.editing.token_sequences import count_runs
from lexigraft.core.tokenization.files.saving import PROBES, save_tokenizer
from lexigraft.core.tokenization.surface import Family
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.sample_text import SAMPLE
from lexigraft.testing.tiny_tokenizers import tiny_tokenizer

ADDED = 36
SOURCE, TARGET = (SAMPLE[side].splitlines() for side in ("source", "target"))
TEXTS = [*SOURCE, *TARGET, *PROBES]
CASES = [
    ("byte_bpe", "append"),
    ("bpe_byte_fallback", "append"),
    ("unigram", "append"),
    ("unigram_byte_fallback", "append"),
    ("unigram", "unigram_em"),
    ("unigram_byte_fallback", "unigram_em"),
    ("unigram_sentinels", "unigram_em"),
    ("wordpiece", "append"),
]


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def pair(request: pytest.FixtureRequest) -> tuple[Vocabulary, Vocabulary]:
    family, method = request.param
    source = Vocabulary.of(tiny_tokenizer(family))
    return source, extend(source, text_for(source), ADDED, method)


def text_for(source: Vocabulary) -> list[str]:
    """The target's text; the source's for WordPiece, to which most of the target's words are one unknown token each."""
    return SOURCE if source.family is Family.WORDPIECE else TARGET


def unigram(pieces: dict[str, float]) -> Vocabulary:
    backend = Tokenizer(models.Unigram([("<unk>", 0.0), *pieces.items()], unk_id=0, byte_fallback=False))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    return Vocabulary.of(PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>"))


def bpe(tokens: str, merges: list[tuple[str, str]]) -> Vocabulary:
    letters = ["Ġ", *tokens]
    ids = {token: i for i, token in enumerate([*letters, *(a + b for a, b in merges)])}
    backend = Tokenizer(models.BPE(ids, merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return Vocabulary.of(PreTrainedTokenizerFast(tokenizer_object=backend))


def test_no_text_gets_longer(pair: tuple[Vocabulary, Vocabulary]) -> None:
    source, extended = pair
    before, after = source.encode(TEXTS), extended.encode(TEXTS)
    assert all(len(new) <= len(old) for old, new in zip(before, after, strict=True))
    assert sum(map(len, after)) < 0.95 * sum(map(len, before))


def test_old_tokens_and_the_round_trip_stay(pair: tuple[Vocabulary, Vocabulary]) -> None:
    source, extended = pair
    assert extended.size == source.size + ADDED
    assert extended.tokens[: source.size] == source.tokens
    assert (extended.specials, extended.special_ids) == (source.specials, source.special_ids)
    assert extended.surfaces.texts[: source.size] == source.surfaces.texts
    before, after = ([one.tokenizer.decode(ids) for ids in one.encode(TEXTS)] for one in pair)
    if not extended.byte_complete:  # a run of unknown characters is one unknown token
        before, after = before[: len(SOURCE)], after[: len(SOURCE)]
    assert after == before


def test_the_spelling_of_each_new_token_gives_it(pair: tuple[Vocabulary, Vocabulary]) -> None:
    source, extended = pair
    model = extended.tokenizer.backend_tokenizer.model
    new = extended.tokens[source.size :]
    assert [[t.value for t in model.tokenize(token)] for token in new] == [[token] for token in new]
    assert len({i for ids in extended.encode(text_for(source)) for i in ids if i >= source.size}) > ADDED / 2


def test_saved_files_give_the_same_ids(pair: tuple[Vocabulary, Vocabulary], tmp_path: Path) -> None:
    extended = pair[1]
    save_tokenizer(extended.tokenizer, tmp_path)
    plain = AutoTokenizer.from_pretrained(tmp_path)
    assert [plain(text, add_special_tokens=False).input_ids for text in TEXTS] == extended.encode(TEXTS)


def test_a_piece_scores_as_its_parts_by_hand() -> None:
    # "wasi" is ▁wa|si (-1 - 2 = -3), as ▁|wa|si costs more. A piece ▁wasi of that score wins by the one token it saves.
    source = unigram({"▁": -3.0, "▁wa": -1.0, "si": -2.0, "wa": -2.5, "a": -4.0, "s": -4.0, "i": -4.0, "w": -4.0})
    extended = extend(source, ["wasi wasi wasi"] * 3, 1, "unigram_em")
    scores = dict(description_of(extended)["model"]["vocab"])
    assert extended.tokens[-1] == "▁wasi"
    assert scores["▁wasi"] == pytest.approx(-3 - LENGTH_COST, abs=1e-9)
    assert scores["▁wa"] == pytest.approx(-1 - LENGTH_COST, abs=1e-9)
    assert len(extended.encode(["wasi"])[0]) == 1


def test_appended_tokens_wait_until_they_are_two_parts() -> None:
    # From scratch, "wasi" comes by wa|si or w|asi, whatever the source does; here it joins "as", so w|as|i is three:
    # "was" or "asi" must come first, and the merge of "wasi" goes on from it.
    source = bpe("wasi", [("a", "s")])
    extended = extend(source, ["wasi wasi asi"] * 4, 20, "append")
    made = {left + right: (left, right) for left, right in merges_of(description_of(extended))}
    assert made["wasi"] in (("w", "asi"), ("was", "i"))
    assert extended.encode(["wasi"]) == [[extended.id_of("wasi")]]


def test_exchange_by_hand() -> None:
    # "zz" is never used, "yy" four times: the new "ku", eight times, goes to the id of "zz"; with two asked for, "kuy"
    # is not worth "yy".
    source = bpe("kuyz", [("y", "y"), ("z", "z")])
    lines = ["ku ku yy"] * 4
    exchanged = extend(source, lines, 1, "exchange")
    assert exchanged.size == source.size
    assert exchanged.tokens[source.tokens.index("zz")] in ("ku", "Ġku")
    assert [t for t in source.tokens if t not in exchanged.tokens] == ["zz"]
    assert exchanged.encode(["zz"]) == [[exchanged.id_of("z")] * 2]


def test_exchange_drops_nothing_that_familiar_text_uses_more() -> None:
    source = bpe("kuyz", [("y", "y"), ("z", "z")])
    lines = ["ku ku yy"] * 4
    exchanged = extend(source, lines, 1, "exchange", ["zz zz zz zz zz zz zz zz zz"])
    assert "zz" in exchanged.tokens
    assert "yy" not in exchanged.tokens
    with pytest.raises(LexigraftError, match="no exchange of tokens gains anything"):
        extend(source, lines, 1, "exchange", ["zz yy"] * 50)


def test_exchange_of_pieces_by_hand() -> None:
    # "inti" is "▁ i n ti" (-1 -2 -2 -2.5; single letters cost -9). A piece of these comes in; of "yy" and "ti", neither
    # of which the text then needs, the less probable one goes.
    source = unigram({"▁": -1.0, "i": -2.0, "n": -2.0, "t": -2.0, "y": -2.0, "yy": -3.0, "ti": -2.5})
    exchanged = extend(source, ["inti inti inti inti"] * 3, 1, "exchange")
    assert exchanged.size == source.size
    new = exchanged.tokens[source.tokens.index("yy")]
    assert [t for t in source.tokens if t not in exchanged.tokens] == ["yy"]
    assert new in {"nti", "inti", "in", "▁i", "▁in", "▁inti"}
    assert len(exchanged.encode(["inti"])[0]) < len(source.encode(["inti"])[0])
    assert exchanged.encode(["yy"])[0][-2:] == [source.id_of("y")] * 2
    scores = dict(description_of(exchanged)["model"]["vocab"])
    assert scores["ti"] == pytest.approx(-2.5, abs=1e-4)


@pytest.mark.parametrize("family", ["byte_bpe", "bpe_byte_fallback", "unigram", "unigram_byte_fallback"])
def test_exchange_keeps_size_ids_and_what_has_none_of_the_dropped(family: str) -> None:
    source = Vocabulary.of(tiny_tokenizer(family))
    exchanged = extend(source, TARGET, 20, "exchange")
    assert (exchanged.size, exchanged.specials) == (source.size, source.specials)
    gone = {i for i, (old, new) in enumerate(zip(source.tokens, exchanged.tokens, strict=True)) if old != new}
    assert 0 < len(gone) <= 20
    before, after = source.encode(TEXTS), exchanged.encode(TEXTS)
    kept = [n for n, ids in enumerate(before) if gone.isdisjoint(ids)]
    assert kept
    assert all(len(after[n]) <= len(before[n]) for n in kept)
    assert sum(map(len, after)) < sum(map(len, before))
    assert [exchanged.tokenizer.decode(ids) for ids in after] == [source.tokenizer.decode(ids) for ids in before]


def test_refusals() -> None:
    wordpiece, pieces, merges = (Vocabulary.of(tiny_tokenizer(f)) for f in ("wordpiece", "unigram", "byte_bpe"))
    for source, method, message in (
        (wordpiece, "continued_bpe", "some: WordPiece"),
        (wordpiece, "unigram_em", "only: WordPiece"),
        (wordpiece, "exchange", "some: WordPiece"),
        (merges, "unigram_em", "only: BPE"),
        (merges, "appended", "append"),
    ):
        with pytest.raises(LexigraftError, match=message):
            extend(source, TARGET, 5, method)
    for source, method in ((pieces, "append"), (merges, "append"), (pieces, "unigram_em"), (wordpiece, None)):
        with pytest.raises(LexigraftError, match="not positive: 0"):
            extend(source, TARGET, 0, method)
    with pytest.raises(LexigraftError, match="a character of a piece is no piece itself: b"):
        check_extendable(unigram({"▁": -1.0, "a": -2.0, "ab": -2.5}))
    for source in (pieces, wordpiece):
        with pytest.raises(LexigraftError, match="no token to add"):
            extend(source, ["a"], 5)


def test_added_tokens_outside_the_model_keep_their_ids() -> None:
    tokenizer = tiny_tokenizer("unigram")
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|call|>"]})
    source = Vocabulary.of(tokenizer)
    assert len(json.loads(source.tokenizer.backend_tokenizer.to_str())["model"]["vocab"]) < source.size
    extended = extend(source, TARGET, 5)
    assert extended.tokens[: source.size] == source.tokens
    assert extended.encode(["wasi<|call|>"])[0][-1] == source.id_of("<|call|>")


@pytest.mark.parametrize("family", ["byte_bpe", "unigram", "bpe_byte_fallback"])
def test_runs_of_words_counted_once_are_those_of_the_lines(family: str) -> None:
    vocabulary = Vocabulary.of(tiny_tokenizer(family))
    lines = [*TARGET, *TARGET[:2], "  wasi  wasi ", "wasi\twasi", "", " wasi", "wasi"]
    wanted: Counter[tuple[int, ...]] = Counter()
    for line in lines:
        encoding = vocabulary.tokenizer.backend_tokenizer.encode(line, add_special_tokens=False)
        run: list[int] = []
        for n, i in enumerate(encoding.ids):
            marked = family != "byte_bpe" and vocabulary.tokens[i].startswith("▁")
            if run and (marked or encoding.word_ids[n] != encoding.word_ids[n - 1]):
                wanted[tuple(run)] += 1
                run = []
            run.append(i)
        wanted[tuple(run)] += 1
    found = count_runs(vocabulary, lines)
    found.pop((), None), wanted.pop((), None)
    assert found == wanted
