"""Vocabularies: one view whatever the family, and bytes split into tokens without a loss."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from fixtures.vocabularies import tiny_vocabulary
from fixtures.word_end_tokenizers import word_end_vocabulary
from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.surface import Kind
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.sample_text import SAMPLE
from lexigraft.testing.tiny_tokenizers import Family, Variant, tiny_tokenizer

COMPLETE: tuple[Family, ...] = ("byte_bpe", "unigram_byte_fallback", "bpe_byte_fallback")
VARIANTS: tuple[Variant, ...] = ("source", "target")


def spelled(v: Vocabulary, ids: list[int]) -> bytes:
    """The bytes of consecutive tokens, with the space that a word start stands for."""
    return b"".join(b" " * bool(v.starts[i]) + v.surfaces.texts[i] for i in ids)


@pytest.mark.parametrize("family", get_args(Family))
def test_it_is_the_tokenizers_own_vocabulary_by_id(family: Family) -> None:
    tokenizer = tiny_tokenizer(family)
    v = tiny_vocabulary(family)
    assert v.size == len(tokenizer) == len(v.surfaces.texts)
    assert list(v.tokens) == tokenizer.convert_ids_to_tokens(list(range(v.size)))
    assert all(v.specials[role] == getattr(tokenizer, f"{role}_token_id") for role in v.specials)
    assert set(v.specials.values()) <= v.special_ids
    assert {i for i in range(v.size) if v.surfaces.kinds[i] == Kind.SPECIAL} == v.special_ids
    assert all(v.id_of(token) == i for i, token in enumerate(v.tokens))


@pytest.mark.parametrize("family", get_args(Family))
def test_encoding_adds_no_special_tokens_and_takes_many_texts(family: Family) -> None:
    tokenizer, v = tiny_tokenizer(family), tiny_vocabulary(family)
    lines = SAMPLE["source"].splitlines()
    assert v.encode(lines) == [tokenizer(line, add_special_tokens=False).input_ids for line in lines]


@pytest.mark.parametrize("family", COMPLETE)
@pytest.mark.parametrize("variant", VARIANTS)
@settings(max_examples=80, deadline=None)
@given(
    text=st.text(st.characters(codec="utf-8", exclude_characters="▁"), min_size=1, max_size=16), starts=st.booleans()
)
def test_pieces_of_any_text_spell_its_bytes(family: Family, variant: Variant, text: str, starts: bool) -> None:
    v = tiny_vocabulary(family, variant)
    assume(not any(v.tokens[i] in text for i in v.special_ids))  # special pieces are left out
    found = v.pieces(text.encode(), starts)
    expected = (" " * starts + text).encode()
    assert spelled(v, found) == expected


@pytest.mark.parametrize("family", COMPLETE)
@settings(max_examples=60, deadline=None)
@given(data=st.binary(min_size=1, max_size=5))
def test_pieces_of_any_bytes_spell_them_even_where_they_are_no_text(family: Family, data: bytes) -> None:
    v = tiny_vocabulary(family)
    if b" " not in data and "▁".encode() not in data:
        assert spelled(v, v.pieces(data, False)) == data


@pytest.mark.parametrize("family", ["unigram", "wordpiece", "unigram_sentinels"])
def test_a_fragment_of_a_character_is_never_guessed(family: Family) -> None:
    v = tiny_vocabulary(family)
    assert v.pieces(b"\xc3", False) == []
    assert v.pieces("ñ".encode()[:1] + b"a", True) == []


@pytest.mark.parametrize("family", get_args(Family))
def test_pieces_hold_no_special_or_unknown_token(family: Family) -> None:
    v = tiny_vocabulary(family)
    for text in ("house", "水水水", "<s>", "</s>", "[MASK]", "<unk>", "ﬁ 𝄞"):
        assert not set(v.pieces(text.encode(), True)) & v.special_ids


@pytest.mark.parametrize("family", ["byte_bpe", "unigram", "wordpiece"])
def test_a_known_word_is_one_piece_only_where_it_starts_as_the_token_does(family: Family) -> None:
    v = tiny_vocabulary(family)
    i = v.single_token("the")
    assert i is not None
    assert v.surfaces.texts[i] == b"the"
    assert v.starts[i]
    assert v.pieces(b"the", True) == [i]
    assert v.pieces(b"the", False) != [i]
    assert v.single_token("thethethethe") is None


@pytest.mark.parametrize("family", get_args(Family))
def test_the_hash_is_of_what_turns_text_into_ids(family: Family) -> None:
    same, other = Vocabulary.of(tiny_tokenizer(family)), tiny_vocabulary(family, "target")
    assert same.hash == tiny_vocabulary(family).hash != other.hash
    changed = tiny_tokenizer(family)
    changed.add_tokens(["brandnew"])
    assert Vocabulary.of(changed).hash != same.hash
    roles = tiny_tokenizer(family)
    roles.pad_token = roles.eos_token or roles.unk_token
    assert Vocabulary.of(roles).hash != same.hash


def test_byte_completeness() -> None:
    assert {f for f in get_args(Family) if tiny_vocabulary(f).byte_complete} == set(COMPLETE)


@pytest.mark.parametrize("missing", [0x00, 0x41, 0xC3, 0xFF])
def test_a_byte_level_vocabulary_that_lacks_a_byte_is_not_complete(missing: int) -> None:
    from unit.tokenization.test_alignment import byte_level

    assert byte_level(*(bytes([b]) for b in range(256))).byte_complete
    lacking = byte_level(*(bytes([b]) for b in range(256) if b != missing))
    assert not lacking.byte_complete
    assert lacking.pieces(bytes([0xE4, missing]), False) == []


def test_byte_pieces_that_the_model_does_not_fall_back_on_make_nothing_complete() -> None:
    from unit.tokenization.test_alignment import sentencepiece

    assert not sentencepiece("▁", *(f"<0x{b:02X}>" for b in range(256))).byte_complete


def test_word_ends_need_every_byte_twice() -> None:
    complete = word_end_vocabulary("clip")
    assert complete.byte_complete
    assert not word_end_vocabulary("gpt").byte_complete
    tokenizer = word_end_vocabulary("clip").tokenizer
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    vocabulary = state["model"]["vocab"]
    vocabulary["~~"] = vocabulary.pop("ÿ</w>")
    lacking = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(json.dumps(state)), unk_token="<|endoftext|>")
    assert not Vocabulary.of(lacking).byte_complete


def test_the_models_own_unknown_token_is_no_piece_though_no_role_names_it() -> None:
    backend = tiny_tokenizer("unigram").backend_tokenizer
    assert Vocabulary.of(PreTrainedTokenizerFast(tokenizer_object=backend)).pieces("水水".encode(), True) == []


def test_ids_without_a_token_are_empty_and_unusable() -> None:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.WordPiece({"[UNK]": 0, "a": 1, "b": 4}, unk_token="[UNK]"))
    v = Vocabulary.of(PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]"))
    assert v.tokens == ("[UNK]", "a", "", "", "b")
    assert v.surfaces.kinds.tolist() == [Kind.SPECIAL, Kind.TEXT, Kind.UNUSABLE, Kind.UNUSABLE, Kind.TEXT]


def test_a_tokenizer_without_a_fast_backend_is_refused() -> None:
    with pytest.raises(LexigraftError, match="no fast backend"):
        Vocabulary.of(object())


def test_tokens_are_shown_readably() -> None:
    v = tiny_vocabulary("byte_bpe", "target")
    shown = {v.display(i) for i in range(v.size)}
    assert "▁wasi" in shown or any(s.startswith("▁") for s in shown)
    assert v.display(v.id_of("Ã")) == "<0xC3>"  # type: ignore[arg-type]
