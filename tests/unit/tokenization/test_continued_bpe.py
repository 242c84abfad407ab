"""Continued BPE training: a case by hand, and the laws on every family that has merges."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from fixtures.word_end_tokenizers import word_end_vocabulary
from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.editing.continued_bpe import continue_bpe
from lexigraft.core.tokenization.editing.rebuilding import description_of, merges_of
from lexigraft.core.tokenization.files.saving import PROBES, save_tokenizer
from lexigraft.core.tokenization.measures.segmentation_change import changed_share
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.sample_text import SAMPLE
from lexigraft.testing.tiny_tokenizers import tiny_tokenizer

ADDED = 60
SOURCE, TARGET = (SAMPLE[side].splitlines() for side in ("source", "target"))
TEXTS = [*SOURCE, *TARGET, *PROBES]


def source_of(family: str) -> Vocabulary:
    if family in ("clip", "gpt"):
        return word_end_vocabulary(family)
    return Vocabulary.of(tiny_tokenizer(family))


@pytest.fixture(scope="module", params=["byte_bpe", "bpe_byte_fallback", "clip", "gpt"])
def pair(request: pytest.FixtureRequest) -> tuple[Vocabulary, Vocabulary]:
    source = source_of(request.param)
    return source, continue_bpe(source, TARGET, ADDED)


def by_hand(lines: list[str], number: int, merges: list[tuple[str, str]]) -> Vocabulary:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    ids = {token: i for i, token in enumerate([*letters, *(a + b for a, b in merges)])}
    backend = Tokenizer(models.BPE(ids, merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return continue_bpe(Vocabulary.of(PreTrainedTokenizerFast(tokenizer_object=backend)), lines, number)


def test_by_hand() -> None:
    # The source knows "wa". The words are wa|s|i three times, wa|s|a twice and t|i once:
    # (wa, s) occurs 5 times, (s, i) 3 times, so "was" comes first; then was|i occurs 3 times and was|a twice.
    found = by_hand(["wasi", "wasi", "wasi", "wasa", "wasa", "ti"], 3, [("w", "a")])
    assert found.tokens[257:] == ("was", "wasi", "wasa")
    assert merges_of(description_of(found)) == [("w", "a"), ("wa", "s"), ("was", "i"), ("was", "a")]


def test_source_merges_go_first() -> None:
    # The source joins "si"; "wasi" is therefore w|a|si, and no merge of "as" or "was" can be learned from it.
    found = by_hand(["wasi", "wasi"], 2, [("s", "i")])
    assert set(found.tokens[257:]) in ({"wa", "wasi"}, {"asi", "wasi"})


def test_going_on_from_nothing_is_training_from_scratch() -> None:
    # A source without merges splits numbers digit by digit, and so would its extension.
    text = [line for line in TARGET if not any(c.isdigit() for c in line)]
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=356, min_frequency=2, initial_alphabet=alphabet, show_progress=False)
    trained.train_from_iterator(text, trainer)
    found = by_hand(text, 100, [])
    assert merges_of(description_of(found)) == merges_of(json.loads(trained.to_str()))
    assert found.encode(text) == [e.ids for e in trained.encode_batch(text)]


def test_two_steps_give_what_one_step_gives() -> None:
    assert continue_bpe(by_hand(TARGET, 40, []), TARGET, 60).tokens == by_hand(TARGET, 100, []).tokens


def test_no_text_gets_longer(pair: tuple[Vocabulary, Vocabulary]) -> None:
    source, extended = pair
    before, after = source.encode(TEXTS), extended.encode(TEXTS)
    assert all(len(new) <= len(old) for old, new in zip(before, after, strict=True))
    assert sum(map(len, after)) < sum(map(len, before))


def test_old_tokens_stay(pair: tuple[Vocabulary, Vocabulary]) -> None:
    source, extended = pair
    assert extended.size == source.size + ADDED
    assert extended.tokens[: source.size] == source.tokens
    assert (extended.specials, extended.special_ids) == (source.specials, source.special_ids)
    assert extended.surfaces.texts[: source.size] == source.surfaces.texts


def test_round_trip_is_as_before(pair: tuple[Vocabulary, Vocabulary]) -> None:
    source = pair[0]
    before, after = (
        [one.tokenizer.decode(ids, clean_up_tokenization_spaces=False) for ids in one.encode(TEXTS)] for one in pair
    )
    assert after == before
    if source.family == "byte_level":
        assert after == TEXTS


def test_every_new_token_is_produced_by_a_piece_of_the_corpus(pair: tuple[Vocabulary, Vocabulary]) -> None:
    source, extended = pair
    made = {left + right for left, right in merges_of(description_of(extended))}
    alone = {c for line in TARGET for c in line}
    model = extended.tokenizer.backend_tokenizer.model
    for token in extended.tokens[source.size :]:
        assert token in made | alone
        if source.family in ("byte_level", "sentencepiece"):
            assert [t.value for t in model.tokenize(token)] == [token]
    used = {i for ids in extended.encode(TARGET) for i in ids if i >= source.size}
    assert len(used) > ADDED / 2


def test_saved_files_give_the_same_ids(pair: tuple[Vocabulary, Vocabulary], tmp_path: Path) -> None:
    extended = pair[1]
    save_tokenizer(extended.tokenizer, tmp_path)
    wanted = extended.encode(TEXTS)
    plain, bare = AutoTokenizer.from_pretrained(tmp_path), Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert [plain(text, add_special_tokens=False).input_ids for text in TEXTS] == wanted
    assert [bare.encode(text, add_special_tokens=False).ids for text in TEXTS] == wanted


def test_added_tokens_keep_their_ids_and_flags(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer("byte_bpe")
    tokenizer.add_tokens([AddedToken("<|call|>", special=True), AddedToken("   ", normalized=False)])
    tokenizer.chat_template = "{{ messages }}"
    source = Vocabulary.of(tokenizer)
    extended = continue_bpe(source, TARGET, 5)
    save_tokenizer(extended.tokenizer, tmp_path)
    read = AutoTokenizer.from_pretrained(tmp_path)
    assert read.chat_template == "{{ messages }}"
    assert {i: str(t) for i, t in read.added_tokens_decoder.items()} == {
        i: str(t) for i, t in tokenizer.added_tokens_decoder.items()
    }
    assert read("a<|call|>   b", add_special_tokens=False).input_ids == source.encode(["a<|call|>   b"])[0]


def test_frequent_characters_take_the_place_of_their_bytes() -> None:
    source = source_of("bpe_byte_fallback")
    extended = continue_bpe(source, ["ኢትዮጵያ ኢትዮጵያ"] * 3, 8)
    # Six letters of three bytes each, at once by themselves, and two merges.
    assert set(extended.tokens[source.size :]) > set("ኢትዮጵያ")
    assert len(extended.encode(["ኢትዮጵያ"])[0]) < len(source.encode(["ኢትዮጵያ"])[0]) / 3


def test_numbers_stay_digit_by_digit() -> None:
    described = json.loads(tiny_tokenizer("bpe_byte_fallback").backend_tokenizer.to_str())
    pairs = described["model"]["merges"]
    described["model"]["merges"] = [pair for pair in pairs if not any(c.isdigit() for c in "".join(pair))]
    backend = Tokenizer.from_str(json.dumps(described))
    extended = continue_bpe(
        Vocabulary.of(PreTrainedTokenizerFast(tokenizer_object=backend)), ["2021 kusi 2021", "kusi 2021 2021"], 9
    )
    assert [extended.tokens[i] for i in extended.encode(["2021"])[0]] == ["▁", "2", "0", "2", "1"]
    assert "▁kusi" in extended.tokens


def test_share_that_is_cut_otherwise() -> None:
    # "wa ti" is wa| |t|i before, and wa| t|i after: of 4 tokens " " and "t" are gone.
    before = by_hand(["wa", "wa"], 1, [("q", "q")])
    after = by_hand(["wa ti", "wa ti", "wa to"], 1, [("q", "q"), ("w", "a")])
    assert after.tokens[-1] == "Ġt"
    assert changed_share(before, after, ["wa ti"]) == 2 / 4


@pytest.mark.parametrize(
    ("family", "lines", "number", "message"),
    [
        ("unigram", TARGET, 5, "merges can go on only where there are some: Unigram"),
        ("wordpiece", TARGET, 5, "merges can go on only where there are some: WordPiece"),
        ("byte_bpe", TARGET, 0, "not positive"),
        ("byte_bpe", ["x"], 5, "yields no token"),
    ],
)
def test_what_cannot_be_extended(family: str, lines: list[str], number: int, message: str) -> None:
    with pytest.raises(LexigraftError, match=message):
        continue_bpe(source_of(family), lines, number)


def test_a_small_text_yields_fewer(caplog: pytest.LogCaptureFixture) -> None:
    source = source_of("byte_bpe")
    extended = continue_bpe(source, ["qqzz", "qqzz"], 50)
    assert 0 < extended.size - source.size <= 3
    assert "50 were asked for" in caplog.text
