"""Pieces of a text: those that the tokenizer cuts it into inside running text, and none that can never occur."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.vocabularies import tiny_vocabulary
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


VOCABULARIES = {
    **{family: tiny_vocabulary(family) for family in get_args(Family)},
    **{f"{family} of the target": tiny_vocabulary(family, "target") for family in get_args(Family)},
    "BERT": with_every_piece(),
    "BERT without ideographs": with_every_piece(ideographs=False),
    "Qwen": qwen_like(),
}
PARTING = [name for name in VOCABULARIES if "unigram" not in name and "fallback" not in name]
"""Those whose pre-tokenizer parts a sign from the word before it."""

TEXTS = st.lists(st.sampled_from([*BITS, *SIGNS]), min_size=1, max_size=5).map("".join)


def cut(v: Vocabulary, before: str, text: str) -> list[int]:
    """What running text holds for a text that follows another, unknown and special tokens left out."""
    first, whole = v.encode([before, before + text])
    assert whole[: len(first)] == first
    return [i for i in whole[len(first) :] if i not in v.special_ids]


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
