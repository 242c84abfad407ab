"""Vocabularies that mark where words end: what their tokens are, and what they match."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from fixtures.vocabularies import tiny_vocabulary
from fixtures.word_end_tokenizers import SUFFIX, made_of, unmarked_vocabulary, word_end_vocabulary
from lexigraft.core.tokenization.matching.alignment import align
from lexigraft.core.tokenization.surface import Family, Kind
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.sample_text import SAMPLE

ENDING = {kind: word_end_vocabulary(kind) for kind in ("clip", "gpt")}  # type: ignore[arg-type]
STARTING = {name: tiny_vocabulary(name) for name in ("byte_bpe", "unigram", "wordpiece", "bpe_byte_fallback")}  # type: ignore[arg-type]


def named(source: Vocabulary, target: Vocabulary, *relaxed: str) -> dict[str, tuple[str, str]]:
    """Target token to source token and rule, special tokens left out."""
    found = align(source, target, relaxed)
    ids = [i for i in found.matched.tolist() if i not in target.special_ids]
    return {target.tokens[i]: (source.tokens[found.source_ids[i]], found.rule_of(i)) for i in ids}


def test_the_families_are_read_off_the_model() -> None:
    assert ENDING["clip"].family is Family.BYTE_LEVEL_SUFFIX
    assert ENDING["gpt"].family is Family.SUFFIX


@pytest.mark.parametrize("kind", ENDING)
def test_a_token_is_its_bytes_and_whether_it_ends_a_word(kind: str) -> None:
    v = ENDING[kind]
    for token, text, ends in (("the</w>", b"the", 1), ("th", b"th", 0)):
        i = v.id_of(token)
        assert i is not None
        assert (v.surfaces.texts[i], v.surfaces.ends[i], v.surfaces.starts[i]) == (text, ends, bool(ends))
    ids = v.encode([SAMPLE["source"].lower()])[0]
    text = b"".join(v.surfaces.texts[i] + b" " * bool(v.surfaces.ends[i] == 1) for i in ids)
    assert text.replace(b" ", b"") == SAMPLE["source"].lower().replace(" ", "").replace("\n", "").encode()


@pytest.mark.parametrize("kind", ENDING)
def test_a_vocabulary_with_word_ends_matches_itself_token_by_token(kind: str) -> None:
    v = ENDING[kind]
    assert (align(v, v).source_ids == np.arange(v.size)).all()


@pytest.mark.parametrize(("source", "target"), [("clip", "gpt"), ("gpt", "clip")])
def test_between_two_of_them_the_same_bytes_with_the_same_end_match(source: str, target: str) -> None:
    a, b = ENDING[source], ENDING[target]
    found = align(a, b)
    by_bytes = np.flatnonzero(found.rule_ids == found.rules.index("bytes"))
    assert len(by_bytes) > 300
    for i, j in zip(by_bytes.tolist(), found.source_ids[by_bytes].tolist(), strict=True):
        assert a.surfaces.texts[j] == b.surfaces.texts[i]
        assert a.surfaces.ends[j] == b.surfaces.ends[i]
        assert a.tokens[j].endswith(SUFFIX) == b.tokens[i].endswith(SUFFIX)


@pytest.mark.parametrize(
    ("source", "target"), [*product(ENDING.values(), STARTING.values()), *product(STARTING.values(), ENDING.values())]
)
def test_word_ends_match_word_starts_only_in_whole_words(source: Vocabulary, target: Vocabulary) -> None:
    found = align(source, target)
    isolated = found.rules.index("isolated")
    matched = [i for i in found.matched.tolist() if found.rule_ids[i] != isolated and i not in target.special_ids]
    assert len(matched) > 30
    for i in matched:
        j, word = int(found.source_ids[i]), target.surfaces.texts[i]
        assert found.rule_of(i) == "whole_word"
        assert source.surfaces.texts[j] == word
        # As the tokenizers themselves cut the word between two others.
        for v, token in ((source, j), (target, i)):
            before, whole = v.encode(["a", f"a {word.decode()} a"])
            assert whole[len(before)] == token
            assert v.encode(["a " + word.decode()])[0] == [*before, token]


def test_a_token_inside_words_matches_none_whose_word_ends_are_unknown() -> None:
    letters = [*"helo", *(f"{c}</w>" for c in "helo")]
    merges = [("h", "e"), ("he", "l"), ("hel", "l"), ("hell", "o</w>"), ("hel", "l</w>")]
    ending = made_of([*letters, "he", "hel", "hell", "hello</w>", "hell</w>"], merges)
    from unit.tokenization.test_alignment import byte_level, sentencepiece

    for plain in (
        sentencepiece(*"helo", "▁hell", "hell", "▁hello", "hello"),
        byte_level(b"h", b"e", b" ", b"hell", b"hello"),
    ):
        crossed = {**named(ending, plain), **named(plain, ending)}
        assert "hell" not in crossed
        assert "hello" not in crossed
        assert "h" not in crossed
    starting = sentencepiece(*"helo", "▁hell", "hell", "▁hello", "hello")
    assert named(ending, starting) == {"▁hell": ("hell</w>", "whole_word"), "▁hello": ("hello</w>", "whole_word")}
    assert named(starting, ending) == {"hell</w>": ("▁hell", "whole_word"), "hello</w>": ("▁hello", "whole_word")}


def test_a_word_that_one_side_cuts_further_is_no_match() -> None:
    from unit.tokenization.test_alignment import sentencepiece

    unreachable = made_of(["h", "i", "i</w>", "hi</w>"], [])  # no merge makes hi</w>
    assert named(unreachable, sentencepiece("▁hi", "h", "i")) == {}
    reachable = made_of(["h", "i", "i</w>", "hi</w>"], [("h", "i</w>")])
    assert named(reachable, sentencepiece("▁hi", "h", "i")) == {"▁hi": ("hi</w>", "whole_word")}


def test_signs_that_are_words_of_their_own_match_whatever_the_marks() -> None:
    from unit.tokenization.test_alignment import bert, sentencepiece

    gpt = made_of([",", ",</w>", "a", "a</w>", "a,</w>"], [], signs_apart=True)
    kinds = dict(zip(gpt.tokens, gpt.surfaces.kinds.tolist(), strict=True))
    assert kinds[",</w>"] == Kind.TEXT
    assert kinds[","] == kinds["a,</w>"] == Kind.UNUSABLE
    assert named(gpt, bert(",", "a")) == {",": (",</w>", "isolated"), "a": ("a</w>", "whole_word")}
    assert named(bert(",", "a"), gpt) == {",</w>": (",", "isolated"), "a</w>": ("a", "whole_word")}
    assert named(gpt, sentencepiece(",", "▁,"))[","] == (",</w>", "isolated")
    assert named(made_of([",", ",</w>"], []), bert(",")) == {",": (",</w>", "isolated")}


@pytest.mark.parametrize("kind", ENDING)
def test_a_known_word_is_the_one_token_that_ends_it(kind: str) -> None:
    v = ENDING[kind]
    assert v.single_token("the") == v.id_of("the</w>")


@pytest.mark.parametrize("spaces", [True, False])
def test_byte_pieces_of_a_vocabulary_without_a_space_mark_are_bytes(spaces: bool) -> None:
    v = unmarked_vocabulary(spaces=spaces)
    i = v.id_of("<0xC3>")
    assert i is not None
    assert v.family is (Family.LITERAL if spaces else Family.PLAIN)
    assert (v.surfaces.texts[i], v.surfaces.kinds[i], v.surfaces.starts[i]) == (b"\xc3", Kind.BYTE, False)
    assert v.byte_complete
    assert named(v, tiny_vocabulary("bpe_byte_fallback"))["<0xC3>"] == ("<0xC3>", "bytes")
    assert named(tiny_vocabulary("bpe_byte_fallback"), v)["<0xC3>"] == ("<0xC3>", "bytes")
    found = [v.tokens[i] for i in v.pieces(b"\xc3\xb1\xc3", True)]
    assert found == [" "] * spaces + ["<0xC3>", "<0xB1>", "<0xC3>"]


def test_spaces_that_a_model_reads_as_they_are_start_words() -> None:
    v = unmarked_vocabulary(spaces=True)
    for text in (" the ñ", "the水", "ta"):
        ids = v.encode([text])[0]
        assert b"".join(b" " * bool(v.starts[i]) + v.surfaces.texts[i] for i in ids) == text.encode()
    found = named(v, tiny_vocabulary("byte_bpe"))
    assert found["Ġthe"] == (" the", "bytes")
    assert found["t"] == ("t", "bytes")
