"""Alignment: who matches whom, by which rule, and what must never match."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken

from fixtures.vocabularies import tiny_vocabulary
from lexigraft.core.errors import UnknownName
from lexigraft.core.tokenization.matching.alignment import DEFAULT_RULES, NEW, RELAXED_RULES, align
from lexigraft.core.tokenization.special_tokens import ROLES
from lexigraft.core.tokenization.surface import Kind, to_byte_level
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.tiny_tokenizers import Family, tiny_tokenizer

PAIRS = list(product(get_args(Family), get_args(Family)))


def is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def wordpiece(*tokens: str) -> Vocabulary:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.WordPiece({t: i for i, t in enumerate(["[UNK]", *tokens])}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return Vocabulary.of(PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]"))


def bert(*tokens: str) -> Vocabulary:
    """WordPiece with BERT's normalizer, which parts ideographs from each other."""
    from tokenizers import normalizers

    tokenizer = wordpiece(*tokens).tokenizer
    tokenizer.backend_tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    return Vocabulary.of(tokenizer)


def sentencepiece(*tokens: str) -> Vocabulary:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.Unigram([(t, -float(i)) for i, t in enumerate(["<unk>", *tokens])], unk_id=0))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    return Vocabulary.of(PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>"))


def byte_level(*tokens: bytes) -> Vocabulary:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE({"<unk>": 0} | {to_byte_level(t): i for i, t in enumerate(tokens, 1)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return Vocabulary.of(PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>"))


def matches(source: Vocabulary, target: Vocabulary, *relaxed: str) -> dict[str, tuple[str, str]]:
    """Target token to (source token, rule), special tokens left out."""
    found = align(source, target, relaxed)
    return {
        target.tokens[i]: (source.tokens[found.source_ids[i]], found.rule_of(i))
        for i in found.matched.tolist()
        if i not in target.special_ids
    }


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_matches_by_bytes_have_the_same_bytes_word_start_and_kind(source: Family, target: Family) -> None:
    a, b = tiny_vocabulary(source, "source"), tiny_vocabulary(target, "target")
    found = align(a, b)
    for i in np.flatnonzero(found.rule_ids == found.rules.index("bytes")).tolist():
        j = int(found.source_ids[i])
        assert a.surfaces.texts[j] == b.surfaces.texts[i]
        assert a.starts[j] == b.starts[i]
        assert a.surfaces.kinds[j] == b.surfaces.kinds[i]


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_everything_is_matched_once_or_new(source: Family, target: Family) -> None:
    a, b = tiny_vocabulary(source, "source"), tiny_vocabulary(target, "target")
    found = align(a, b, RELAXED_RULES)
    assert found.rules == (NEW, *DEFAULT_RULES, *RELAXED_RULES)
    assert sorted([*found.matched.tolist(), *found.new.tolist()]) == list(range(b.size))
    assert sum(found.counts().values()) == len(found.matched)
    assert set(found.counts()) == {*DEFAULT_RULES, *RELAXED_RULES}
    assert ((found.rule_ids == 0) == (found.source_ids < 0)).all()
    assert found.source_ids.max() < a.size
    strict = align(a, b)
    assert (found.source_ids[strict.matched] == strict.source_ids[strict.matched]).all()


@pytest.mark.parametrize("family", get_args(Family))
def test_a_vocabulary_matches_itself_token_by_token(family: Family) -> None:
    v = tiny_vocabulary(family, "target")
    found = align(v, v)
    named = np.array([bool(token) for token in v.tokens])
    assert (found.source_ids[named] == np.flatnonzero(named)).all()
    never = np.flatnonzero(v.surfaces.kinds == Kind.UNUSABLE)
    assert {found.rule_of(i) for i in never.tolist() if named[i]} <= {"unusable"}


@pytest.mark.parametrize("family", get_args(Family))
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_an_extension_keeps_every_old_row_though_old_words_are_added_again(family: Family, data: st.DataObject) -> None:
    before, tokenizer = tiny_vocabulary(family, "source"), tiny_tokenizer(family, "source")
    again = data.draw(st.lists(st.sampled_from([t for t in before.tokens if t]), min_size=1, max_size=60, unique=True))
    special = data.draw(st.booleans())
    tokenizer.add_tokens([*again, "qucha", " wasi"], special_tokens=special)
    if special:
        tokenizer.mask_token = again[0]
    after = Vocabulary.of(tokenizer)
    assert after.tokens[: before.size] == before.tokens
    assert align(before, after).source_ids.tolist() == [*range(before.size), -1, -1]


def test_words_added_again_under_their_old_ids_are_read_as_the_model_reads_them() -> None:
    for family, known in {"wordpiece": "##s", "byte_bpe": "Ġthe", "bpe_byte_fallback": "<0x0A>"}.items():
        before, tokenizer = tiny_vocabulary(family), tiny_tokenizer(family)
        tokenizer.add_tokens([known])
        after = Vocabulary.of(tokenizer)
        i = before.id_of(known)
        assert i is not None
        assert i in tokenizer.added_tokens_decoder
        assert after.surfaces.texts[i] == before.surfaces.texts[i]
        assert after.surfaces.kinds[i] == before.surfaces.kinds[i]
        assert after.starts[i] == before.starts[i]


def test_a_token_that_can_never_occur_matches_its_own_string_only() -> None:
    source, target = wordpiece("##,", "[unused1]", "a"), wordpiece("[unused1]", "[unused2]", "##,", ",", "##a")
    assert matches(source, target) == {"[unused1]": ("[unused1]", "unusable"), "##,": ("##,", "unusable")}
    assert matches(source, sentencepiece(",", "[unused1]")) == {}


@pytest.mark.parametrize("token", ["\n", "\r\n", "\t", "House", "É"])
def test_an_added_token_has_its_own_string_whatever_the_normalizer_makes_of_it(token: str) -> None:
    from tokenizers import Regex, normalizers

    tokenizer = sentencepiece("▁", "a", "▁▁", "house").tokenizer
    tokenizer.backend_tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFD(), normalizers.Lowercase(), normalizers.Replace(Regex(r"\s"), " ")]
    )
    tokenizer.add_tokens([token])
    changed, plain = Vocabulary.of(tokenizer), byte_level(token.encode(), b" ", b"  ", b"house")
    assert changed.tokens[-1] == token
    own = to_byte_level(token.encode())
    expected = {own: (token, "bytes"), "Ġ": ("▁", "bytes"), "ĠĠ": ("▁▁", "bytes"), "house": ("house", "bytes")}
    assert matches(changed, plain) == expected
    assert matches(plain, changed)[token] == (own, "bytes")


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_no_relaxed_rule_lets_a_fragment_match_other_bytes(source: Family, target: Family) -> None:
    a, b = tiny_vocabulary(source, "source"), tiny_vocabulary(target, "target")
    found = align(a, b, RELAXED_RULES)
    for i in found.matched.tolist():
        if i in b.special_ids:
            continue
        ours, theirs = b.surfaces.texts[i], a.surfaces.texts[int(found.source_ids[i])]
        if not (is_text(ours) and is_text(theirs)):
            assert ours == theirs


FRAGMENTS = st.binary(min_size=1, max_size=4).filter(lambda data: not is_text(data))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(FRAGMENTS, min_size=1, max_size=6, unique=True), st.lists(FRAGMENTS, min_size=1, max_size=6, unique=True)
)
def test_made_fragments_match_the_same_bytes_and_nothing_else(ours: list[bytes], theirs: list[bytes]) -> None:
    source, target = byte_level(*theirs, b"a", "�".encode()), byte_level(*ours, b"A", "�".encode())
    found = align(source, target, RELAXED_RULES)
    for i, data in enumerate(ours, 1):
        expected = theirs.index(data) + 1 if data in theirs else -1
        assert found.source_ids[i] == expected


def test_specials_match_by_string_then_role_then_stand_in() -> None:
    roberta, bert = tiny_vocabulary("byte_bpe", "source"), tiny_vocabulary("wordpiece", "target")
    found = align(roberta, bert)
    for role in ("pad", "unk", "cls", "sep", "mask"):
        assert found.source_ids[bert.specials[role]] == roberta.specials[role]
        assert found.rule_of(bert.specials[role]) == "special_role"
    llama = tiny_vocabulary("bpe_byte_fallback", "target")
    found = align(bert, llama)
    assert found.source_ids[llama.specials["bos"]] == bert.specials["cls"]
    assert found.source_ids[llama.specials["eos"]] == bert.specials["sep"]
    t5 = tiny_vocabulary("unigram_sentinels", "target")
    found = align(tiny_vocabulary("unigram_sentinels", "source"), t5)
    extra = t5.id_of("<extra_id_7>")
    assert extra is not None
    assert tiny_vocabulary("unigram_sentinels", "source").tokens[found.source_ids[extra]] == "<extra_id_7>"


def with_specials(order: Sequence[str], **roles: str) -> Vocabulary:
    """A vocabulary of special tokens in this order, some of which fill roles."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.WordLevel({token: i for i, token in enumerate(order)}, unk_token=order[0]))
    named = {f"{role}_token": token for role, token in roles.items()}
    return Vocabulary.of(
        PreTrainedTokenizerFast(tokenizer_object=backend, additional_special_tokens=list(order), **named)
    )


NAMES = ("<s>", "</s>", "[CLS]", "[SEP]", "<mask>", "<pad>")


@settings(max_examples=60, deadline=None)
@given(
    st.permutations(NAMES),
    *[st.dictionaries(st.sampled_from(ROLES), st.sampled_from(NAMES)) for _ in range(2)],
)
def test_a_special_token_under_the_same_string_is_the_same_whatever_its_roles(
    order: list[str], ours: dict[str, str], theirs: dict[str, str]
) -> None:
    source, target = with_specials(NAMES, **theirs), with_specials(order, **ours)
    found = align(source, target)
    assert [source.tokens[i] for i in found.source_ids.tolist()] == list(target.tokens)


def test_a_stand_in_is_only_for_a_special_token_that_the_source_lacks() -> None:
    source = with_specials(["<s>", "[CLS]", "[SEP]"], cls="[CLS]", sep="[SEP]")
    target = with_specials(["</s>", "<s>"], bos="<s>", eos="</s>")
    assert align(source, target).source_ids.tolist() == [source.id_of("[SEP]"), source.id_of("<s>")]


@pytest.mark.parametrize(("shared", "stand_in"), [("eos", "sep"), ("sep", "eos"), ("bos", "cls"), ("cls", "bos")])
@pytest.mark.parametrize("lesser", ["pad", "unk", "mask"])
def test_a_token_that_ends_texts_and_pads_is_no_padding_token(shared: str, stand_in: str, lesser: str) -> None:
    source = with_specials(["<a>", "<b>", "<c>"], **{stand_in: "<b>", lesser: "<c>"})
    target = with_specials(["<x>", "<y>"], **{shared: "<y>", lesser: "<y>"})
    assert align(source, target).source_ids[1] == source.id_of("<b>")
    own = with_specials(["<a>", "<b>", "<c>", "<d>"], **{stand_in: "<b>", lesser: "<c>", shared: "<d>"})
    assert align(own, target).source_ids[1] == own.id_of("<d>")
    neither = with_specials(["<a>", "<c>"], **{lesser: "<c>"})
    assert align(neither, target).source_ids[1] == neither.id_of("<c>")


@pytest.mark.parametrize(("source", "target"), PAIRS)
@pytest.mark.parametrize("special", [(True, True), (True, False), (False, True), (False, False)])
def test_added_tokens_of_one_string_are_the_same_though_one_side_calls_them_special(
    source: Family, target: Family, special: tuple[bool, bool]
) -> None:
    names = ["<think>", "</think>", "<tool_call>"]
    tokenizers = tiny_tokenizer(source, "source"), tiny_tokenizer(target, "target")
    for tokenizer, is_special, order in zip(tokenizers, special, (names, names[::-1]), strict=True):
        tokenizer.add_tokens([AddedToken(name, special=is_special, normalized=False) for name in order])
    a, b = map(Vocabulary.of, tokenizers)
    found = align(a, b)
    assert [a.tokens[found.source_ids[b.id_of(name)]] for name in names] == names


def test_pieces_that_spell_a_special_token_without_a_role_are_the_token() -> None:
    source, target = (
        sentencepiece("<extra_id_0>", "▁<extra_id_0>", "<extra_id_1>"),
        tiny_vocabulary("unigram_sentinels"),
    )
    for a, b in ((source, target), (target, source)):
        found = align(a, b)
        for name in ("<extra_id_0>", "<extra_id_1>"):
            i = b.id_of(name)
            assert i is not None
            assert found.source_ids[i] == a.id_of(name)


def test_an_ordinary_token_spelled_like_the_token_of_a_role_is_not_that_token() -> None:
    gemma = tiny_tokenizer("unigram_byte_fallback")
    gemma.add_tokens([AddedToken("<s>", normalized=False), AddedToken("[SEP]", normalized=False)])
    gemma_like, roberta = Vocabulary.of(gemma), tiny_vocabulary("byte_bpe", "target")
    tag = gemma_like.id_of("<s>")
    assert tag is not None
    assert align(roberta, gemma_like).source_ids[tag] == -1
    assert align(roberta, gemma_like).source_ids[gemma_like.specials["bos"]] == roberta.specials["bos"]
    assert align(gemma_like, roberta).source_ids[roberta.specials["bos"]] == gemma_like.specials["bos"]
    bert = tiny_vocabulary("wordpiece")  # the other side has nothing else for the role
    assert align(gemma_like, bert).source_ids[bert.specials["sep"]] == gemma_like.id_of("[SEP]")


def test_a_special_string_is_not_a_piece_that_is_read_otherwise() -> None:
    tokenizer = byte_level(b"a").tokenizer
    tokenizer.add_tokens(["##s", "▁a"], special_tokens=True)
    marked = Vocabulary.of(tokenizer)
    for other in (wordpiece("##s"), sentencepiece("▁a")):
        assert matches(marked, other) == {}
        assert align(other, marked).source_ids.tolist()[2:] == [-1, -1]


def test_special_tokens_match_no_text_of_the_same_string() -> None:
    source, target = sentencepiece("[UNK]", "▁[UNK]", "▁a"), wordpiece("a")
    found = align(source, target, RELAXED_RULES)
    assert found.source_ids[target.specials["unk"]] == source.specials["unk"]


def test_isolated_punctuation_matches_whatever_its_word_start() -> None:
    assert matches(wordpiece(",", "a"), sentencepiece(",", "▁,", "a", "▁a")) == {
        ",": (",", "isolated"),
        "▁,": (",", "bytes"),
        "▁a": ("a", "bytes"),
    }
    assert matches(sentencepiece(",", "a"), wordpiece(",", "a", "##a")) == {
        ",": (",", "isolated"),
        "##a": ("a", "bytes"),
    }


def test_isolated_target_tokens_prefer_text_without_a_word_start() -> None:
    signs = [t for sign in (",", "!", "中") for t in (sign.encode(), f" {sign}".encode())]
    target = bert(",", "!", "中", ".", "a", "##a")
    for source in (byte_level(*signs, b" .", b"a"), byte_level(*reversed(signs), b" .", b"a")):
        assert matches(source, target) == {
            ",": (",", "isolated"),
            "!": ("!", "isolated"),
            "中": (to_byte_level("中".encode()), "isolated"),
            ".": ("Ġ.", "isolated"),
            "##a": ("a", "bytes"),
        }
    twins = matches(sentencepiece("▁,", ",", "▁!"), target)
    assert twins == {",": (",", "isolated"), "!": ("▁!", "isolated")}
    assert matches(bert("!", "中", ","), target)[","] == (",", "bytes")
    # Without the normalizer that parts them, ideographs are words like others.
    assert matches(byte_level(*signs), wordpiece("中"))["中"] == (to_byte_level(" 中".encode()), "bytes")


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_no_rule_that_is_always_tried_crosses_kinds(source: Family, target: Family) -> None:
    a, b = tiny_vocabulary(source, "source"), tiny_vocabulary(target, "target")
    found = align(a, b)
    matched = found.matched[found.rule_ids[found.matched] != found.rules.index("special_role")]
    assert (a.surfaces.kinds[found.source_ids[matched]] == b.surfaces.kinds[matched]).all()


def test_a_byte_piece_takes_no_row_of_a_sign() -> None:
    source, target = bert("!", "a"), sentencepiece("<0x21>", "<0x61>", "▁a")
    assert matches(source, target) == {"▁a": ("a", "bytes")}
    assert matches(target, bert("!")) == {}


def test_each_relaxed_rule_finds_what_its_name_says() -> None:
    source = sentencepiece("a", "▁House", "▁cafe\u0301", "▁tree")
    target = sentencepiece("▁a", "▁house", "▁café", "tree")
    assert matches(source, target) == {}
    assert matches(source, target, "no_space") == {"▁a": ("a", "no_space"), "tree": ("▁tree", "no_space")}
    assert matches(source, target, "case_fold") == {"▁house": ("▁House", "case_fold")}
    assert matches(source, target, "nfc") == {"▁café": ("▁cafe\u0301", "nfc")}
    assert len(matches(source, target, *RELAXED_RULES)) == 4


def test_byte_pieces_match_letters_only_when_asked() -> None:
    source, target = sentencepiece("<0x41>", "<0xC3>", "x"), byte_level(b"A", b"\xc3", b"\xc3\xb1", b"x")
    assert matches(source, target) == {"x": ("x", "bytes")}
    assert matches(source, target, "byte_piece") == {
        "A": ("<0x41>", "byte_piece"),
        "Ã": ("<0xC3>", "byte_piece"),
        "x": ("x", "bytes"),
    }


def test_the_lowest_id_wins_among_equal_surfaces() -> None:
    assert matches(wordpiece("b", "a", ","), sentencepiece("▁a"))["▁a"] == ("a", "bytes")
    source = sentencepiece("▁ab", "▁Ab", "▁aB")
    assert matches(source, sentencepiece("▁AB"), "case_fold") == {"▁AB": ("▁ab", "case_fold")}


def test_rules_apply_in_their_own_order_whatever_the_order_given() -> None:
    source, target = sentencepiece("a", "▁A"), sentencepiece("▁a")
    assert matches(source, target, "case_fold", "no_space") == {"▁a": ("a", "no_space")}


@pytest.mark.parametrize("normalized", [False, True])
def test_runs_of_spaces_match_whether_added_or_not(normalized: bool) -> None:
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers
    from transformers import PreTrainedTokenizerFast

    def gemma_like(added: bool) -> Vocabulary:
        strings = ["<unk>", "▁", "▁▁", "▁▁▁▁", "a", "b", "▁a"]
        merges = [("▁", "▁"), ("▁▁", "▁▁"), ("▁", "a")]
        backend = Tokenizer(models.BPE({t: i for i, t in enumerate(strings)}, merges, unk_token="<unk>"))
        backend.normalizer = normalizers.Replace(" ", "▁")
        backend.decoder = decoders.Replace("▁", " ")
        if added:
            backend.add_tokens([AddedToken(t, normalized=normalized) for t in ("▁▁", "▁▁▁▁", "▁killa")])
        return Vocabulary.of(PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>"))

    plain, added = gemma_like(False), gemma_like(True)
    for source, target in ((plain, added), (added, plain)):
        found = matches(source, target)
        assert found["▁▁"] == ("▁▁", "bytes")
        assert found["▁▁▁▁"] == ("▁▁▁▁", "bytes")
    code = added.encode(["a    b"])[0]
    assert b"".join(b" " * bool(added.starts[i]) + added.surfaces.texts[i] for i in code) == b"a    b"
    assert added.starts[added.id_of("▁killa")]
    assert [plain.tokens[i] for i in plain.pieces(b"   ", True)] == ["▁▁▁▁"]
    assert matches(byte_level(b"    "), added)["▁▁▁▁"] == ("ĠĠĠĠ", "bytes")


def test_no_overlap_is_all_new_and_an_unknown_rule_is_refused() -> None:
    found = align(sentencepiece("x"), sentencepiece("y", "▁z"))
    assert found.new.tolist() == [1, 2]
    assert found.rule_of(1) == NEW
    with pytest.raises(UnknownName, match="case_fold"):
        align(sentencepiece("x"), sentencepiece("y"), ["case_flod"])
