"""Pieces of a text: those that the tokenizer cuts it into inside running text, and none that can never occur."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.vocabularies import tiny_vocabulary
from fixtures.word_end_tokenizers import unmarked_vocabulary, word_end_vocabulary
from lexigraft.core.tokenization.surface import Kind
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.tiny_tokenizers import Family

SIGNS = [".", ",", "!", "?", "(", "-", "。", "，", "«", "…", "$"]
BITS = [
    "the",
    "house",
    "To",
    "wasi",
    "kuna",
    "ñ",
    "n\u0303",
    "é",
    "ta",
    "好",
    "不",
    "中",
    "12",
    "7",
    "2021",
    "Ж",
    "水",
    "s",
]


def bert(*tokens: str, ideographs: bool = True) -> Vocabulary:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    strings = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused1]", *tokens]
    backend = Tokenizer(models.WordPiece({t: i for i, t in enumerate(strings)}, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True, handle_chinese_chars=ideographs)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return Vocabulary.of(PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]", pad_token="[PAD]"))


def with_every_piece(*, ideographs: bool = True) -> Vocabulary:
    """BERT-like, with every bit and sign at a word start and inside a word, whether they can occur there or not."""
    words = ["the", "house", "to", "wasi", "kuna", "n", "e", "ta", "12", "7", "20", "21", "s", "不", "好", "中", *SIGNS]
    return bert(*words, *(f"##{w}" for w in words), "##.to", ideographs=ideographs)


def qwen_like(*, prefix: bool = False) -> Vocabulary:
    """Byte-level, with NFC, digits one by one, and words that take one sign in front."""
    import json

    from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    from lexigraft.testing.tiny_tokenizers import tiny_tokenizer

    state = json.loads(tiny_tokenizer("byte_bpe").backend_tokenizer.to_str())
    size = max(state["model"]["vocab"].values()) + 1
    merges = [["1", "2"], ["Ġ", "12"], ["Ã", "±"], ["Ã", "©"], [".", "t"], [".t", "a"], ["2", "0"], ["Ġ", "2"]]
    known = {"".join(m) for m in state["model"]["merges"]}
    new = [m for m in merges if "".join(m) not in known]
    state["model"]["vocab"] |= {
        "".join(m): size + n for n, m in enumerate(new) if "".join(m) not in state["model"]["vocab"]
    }
    state["model"]["merges"] = [*new, *state["model"]["merges"]]
    backend = Tokenizer.from_str(json.dumps(state))
    backend.normalizer = normalizers.NFC()
    pattern = Regex(r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=False)
    split = [] if prefix else [pre_tokenizers.Split(pattern, "isolated")]
    digits = [pre_tokenizers.Digits(individual_digits=True)] if prefix else []
    backend.pre_tokenizer = pre_tokenizers.Sequence([*split, *digits, byte_level])
    return Vocabulary.of(PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>"))


ADDED = ["qucha", "killa-wasi", "ÑAN"]
ALIKE = ["yachay", "unu"]


def with_added(v: Vocabulary) -> Vocabulary:
    """The vocabulary with added words that its model does not know, found anywhere or as whole words only."""
    from tokenizers import AddedToken, Tokenizer
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer.from_str(v.tokenizer.backend_tokenizer.to_str())
    backend.add_tokens([AddedToken(word, normalized=False) for word in ADDED])
    backend.add_tokens([AddedToken(ALIKE[0], normalized=True), AddedToken(ALIKE[1], single_word=True)])
    backend.add_tokens([AddedToken("pacha", lstrip=True, normalized=False)])
    roles = {f"{role}_token": v.tokens[i] for role, i in v.specials.items()}
    return Vocabulary.of(PreTrainedTokenizerFast(tokenizer_object=backend, **roles))


VOCABULARIES = {
    **{family: tiny_vocabulary(family) for family in get_args(Family)},
    **{f"{family} of the target": tiny_vocabulary(family, "target") for family in get_args(Family)},
    "BERT": with_every_piece(),
    "BERT without ideographs": with_every_piece(ideographs=False),
    "Qwen": qwen_like(),
    "CLIP": word_end_vocabulary("clip"),
    "GPT": word_end_vocabulary("gpt"),
    "spaces as they are": unmarked_vocabulary(spaces=True),
    "no space mark": unmarked_vocabulary(spaces=False),
}
EXTENDED = {name: with_added(v) for name, v in VOCABULARIES.items()}
PARTING = [name for name in VOCABULARIES if not any(kind in name for kind in ("unigram", "fallback", "space"))]
"""Those whose pre-tokenizer parts a sign from the word before it."""

TEXTS = st.lists(st.sampled_from([*BITS, *SIGNS]), min_size=1, max_size=5).map("".join)


def cut(v: Vocabulary, before: str, text: str) -> list[int]:
    """What running text holds for a text that follows another, unknown and special tokens left out.

    Nothing where no more than the mark of a word start is left.
    """
    first, whole = v.encode([before, before + text])
    assert whole[: len(first)] == first
    ids = [i for i in whole[len(first) :] if i not in v.special_ids]
    return ids if any(v.surfaces.texts[i].strip(b" ") for i in ids) else []


@pytest.mark.parametrize("name", VOCABULARIES)
@settings(max_examples=150, deadline=None)
@given(text=TEXTS)
def test_pieces_of_a_word_are_its_cut_in_running_text(name: str, text: str) -> None:
    v = VOCABULARIES[name]
    assert v.pieces(text.encode(), True) == cut(v, "the", f" {text}")


@pytest.mark.parametrize("name", PARTING)
@settings(max_examples=150, deadline=None)
@given(sign=st.sampled_from(SIGNS), text=TEXTS)
def test_pieces_of_signs_inside_a_word_are_their_cut_in_running_text(name: str, sign: str, text: str) -> None:
    v = VOCABULARIES[name]
    assert v.pieces((sign + text).encode(), False) == cut(v, "the", sign + text)


WORDS = st.lists(st.sampled_from([*ADDED, *ALIKE, "pacha", "the", "ñ", "水", "2", "."]), min_size=1, max_size=4)


@pytest.mark.parametrize("name", EXTENDED)
@settings(max_examples=100, deadline=None)
@given(text=WORDS.map("".join))
def test_pieces_hold_added_tokens_where_running_text_does(name: str, text: str) -> None:
    v = EXTENDED[name]
    assert v.pieces(text.encode(), True) == cut(v, "the", f" {text}")


@pytest.mark.parametrize("name", EXTENDED)
@settings(max_examples=50, deadline=None)
@given(word=st.sampled_from([*ADDED, ALIKE[0], "pacha"]), text=WORDS.map("".join))
def test_pieces_inside_a_word_hold_added_tokens_where_running_text_does(name: str, word: str, text: str) -> None:
    v = EXTENDED[name]
    assert v.pieces((word + text).encode(), False) == cut(v, "the", word + text)


@pytest.mark.parametrize("name", EXTENDED)
def test_an_added_token_is_a_piece_of_itself(name: str) -> None:
    v = EXTENDED[name]
    for word in ADDED:
        assert v.pieces(word.encode(), True)[-1:] == v.pieces(word.encode(), False) == [v.id_of(word)]
    assert v.id_of("unu") not in v.pieces(b"unu", False)  # it is found as a whole word only


@pytest.mark.parametrize("name", [n for n in VOCABULARIES if not VOCABULARIES[n].byte_complete])
@settings(max_examples=50, deadline=None)
@given(text=st.text(st.sampled_from("ქართ"), min_size=1, max_size=4), starts=st.booleans())
def test_a_word_that_cannot_be_spelled_has_no_pieces(name: str, text: str, starts: bool) -> None:
    assert VOCABULARIES[name].pieces(text.encode(), starts) == []


@pytest.mark.parametrize("name", VOCABULARIES)
@settings(max_examples=100, deadline=None)
@given(text=TEXTS, starts=st.booleans())
def test_no_piece_is_a_token_that_can_never_occur(name: str, text: str, starts: bool) -> None:
    v = VOCABULARIES[name]
    assert Kind.UNUSABLE not in v.surfaces.kinds[v.pieces(text.encode(), starts)].tolist()


def test_signs_and_ideographs_of_bert_are_words_of_their_own() -> None:
    v = with_every_piece()

    def pieces(text: str) -> list[str]:
        return [v.tokens[i] for i in v.pieces(text.encode(), False)]

    assert pieces(".to") == [".", "to"]
    assert pieces("to.") == ["##to", "."]
    assert pieces("不好") == ["不", "好"]
    assert pieces("to不") == ["##to", "不"]
    v = with_every_piece(ideographs=False)
    assert pieces("不好") == ["##不", "##好"]


def test_byte_level_pieces_are_normalized_and_digits_split() -> None:
    v = qwen_like()
    assert [v.tokens[i] for i in v.pieces(b"12", False)] == ["1", "2"]
    assert v.pieces("n\u0303".encode(), False) == v.pieces("ñ".encode(), False) != []
    prefixing = qwen_like(prefix=True)
    assert [prefixing.tokens[i] for i in prefixing.pieces(b"12", False)] == ["1", "2"]


def test_spaces_at_the_start_of_a_text_are_kept() -> None:
    from tokenizers import Tokenizer, models, normalizers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE({"<unk>": 0, "▁": 1, "a": 2}, [], unk_token="<unk>"))
    for normalizer in (normalizers.Replace(" ", "▁"), normalizers.Sequence([normalizers.Prepend("▁")])):
        backend.normalizer = normalizer
        v = Vocabulary.of(PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>"))
        assert [v.tokens[i] for i in v.pieces(b"  a", True)] == ["▁", "▁", "▁", "a"]
        assert [v.tokens[i] for i in v.pieces(b"  a", False)] == ["▁", "▁", "a"]
