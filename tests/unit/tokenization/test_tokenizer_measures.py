"""Figures of tokenizers: worked out by hand on vocabularies of a few tokens."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from lexigraft.core.data.aligned_lines import read_aligned
from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.measures.inequality import gini, renyi_efficiency
from lexigraft.core.tokenization.measures.parity import measure_parity
from lexigraft.core.tokenization.measures.pre_tokens import mark_aware_regex
from lexigraft.core.tokenization.measures.predicted_speed import predicted_speed
from lexigraft.core.tokenization.measures.tokenizer_measures import measure_tokenizer
from lexigraft.core.tokenization.vocabulary import Vocabulary


def byte_level() -> Vocabulary:
    """The 256 bytes, and the two tokens " w" and " wa"."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    ids = {token: i for i, token in enumerate([*letters, "Ġw", "Ġwa"])}
    backend = Tokenizer(models.BPE(ids, [("Ġ", "w"), ("Ġw", "a")]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return Vocabulary.of(PreTrainedTokenizerFast(tokenizer_object=backend))


def wordpiece() -> Vocabulary:
    backend = Tokenizer(models.WordPiece({"[UNK]": 0, "wa": 1, "##si": 2, "si": 3}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return Vocabulary.of(PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]"))


def test_figures_by_hand() -> None:
    # "wa wa wasi" is w a | Ġwa | Ġwa s i: 6 tokens, 10 bytes, 3 words, 2 word types, 3 pre-tokens.
    # At a word start "wa" is one token and "wasi" three: 1 of 2 types, and 1 of 3 words is continued.
    # w, a, s, i once, Ġwa twice: p = 1/6 four times and 1/3.
    found = measure_tokenizer(byte_level(), ["wa wa wasi"])
    assert (found.size, found.tokens, found.pre_token_floor) == (258, 6, 3)
    assert (found.fertility, found.characters_per_token, found.bytes_per_token) == (2.0, 10 / 6, 10 / 6)
    assert (found.single_token_share, found.continued_rate) == (1 / 2, 1 / 3)
    assert (found.unknown_rate, found.byte_fallback_rate) == (0.0, None)
    assert (found.never_produced, found.renyi_vocabulary) == (258 - 5, 5)
    moment = 4 * (1 / 6) ** 2.5 + (1 / 3) ** 2.5
    assert found.renyi_efficiency == pytest.approx(math.log2(moment) / (1 - 2.5) / math.log2(5))


def test_predicted_speed_by_hand() -> None:
    # Body 1,000 parameters and a head of 100 x 10: 2,000 for each of 8 tokens; with 300 tokens 4,000 for each of 4.
    assert predicted_speed(4 / 8, 100, 300, hidden=10, body=1000) == 1.0
    assert predicted_speed(4 / 8, 100, 100, hidden=10, body=1000) == 2.0


def test_unknown_words_are_neither_one_token_nor_continued() -> None:
    # wa | wa ##si | [UNK]: 4 tokens of which 1 is unknown; of 3 words "wa" is one token and "wasi" is continued.
    found = measure_tokenizer(wordpiece(), ["wa wasi ñan"])
    assert (found.tokens, found.unknown_rate) == (4, 1 / 4)
    assert (found.single_token_share, found.continued_rate) == (1 / 3, 1 / 3)
    assert (found.byte_fallback_rate, found.mark_aware_floor) == (0.0, None)


@pytest.mark.parametrize(
    "line", ["我们去商店", "これはペンです", "ฉันไปตลาด", "ຂ້ອຍໄປຕະຫຼາດ", "ខ្ញុំទៅផ្សារ", "ကျွန်တော်စျေးသွားတယ်"]
)
def test_scripts_without_spaces_have_no_figures_of_words(line: str) -> None:
    found = measure_tokenizer(byte_level(), [line])
    assert (found.fertility, found.single_token_share, found.continued_rate) == (None, None, None)
    assert found.bytes_per_token == 1.0


def test_a_foreign_name_does_not_take_the_figures_of_words_away() -> None:
    found = measure_tokenizer(byte_level(), ["the city of 北京 is the largest in that part of the country"])
    assert found.fertility is not None


def test_vowel_signs_raise_the_floor() -> None:
    # कि is the letter क and the vowel sign ि, a mark: GPT-2's expression makes two words of it, " कि" two as well.
    found = measure_tokenizer(byte_level(), ["कि कि"])
    assert (found.pre_token_floor, found.mark_aware_floor) == (4, 2)
    latin = measure_tokenizer(byte_level(), ["wa wa"])
    assert (latin.pre_token_floor, latin.mark_aware_floor) == (2, 2)


def test_mark_aware_expressions() -> None:
    assert mark_aware_regex(r" ?\p{L}+|[^\s\p{L}\p{N}]+") == r" ?[\p{L}\p{M}]+|[^\s\p{L}\p{M}\p{N}]+"
    assert mark_aware_regex(r"[\p{L}\p{M}]+|\p{L}") == r"[\p{L}\p{M}]+|\p{L}"


def test_gini_by_hand() -> None:
    # |1-3| counted both ways is 4, over 2 n² mean = 2 · 4 · 2.
    assert gini([3, 1]) == pytest.approx(4 / 16)
    assert gini([5, 5, 5]) == pytest.approx(0)
    assert gini([0, 0]) == 0


def test_renyi_efficiency_of_even_and_uneven_use() -> None:
    assert renyi_efficiency(np.array([4, 4, 0, 4, 4])) == pytest.approx(1)
    # Order 2 of 3/4 and 1/4: -log2(10/16) over log2(2).
    assert renyi_efficiency(np.array([3, 1]), alpha=2) == pytest.approx(math.log2(16 / 10))
    assert renyi_efficiency(np.array([7, 0])) is None


def test_parity_by_hand() -> None:
    # "wa si" is wa | si; "wasi wasi" is wa ##si twice: 2 and 4 tokens; |2-4| both ways over 2 · 4 · 3.
    found = measure_parity(wordpiece(), [["wa si"], ["wasi wasi"]])
    assert (found.tokens, found.premiums) == ((2, 4), (1.0, 2.0))
    assert found.gini == pytest.approx(4 / 24)
    assert measure_parity(wordpiece(), [["wa si"], ["ñan"]]).premiums == (1.0, None)


def test_parallel_files_must_go_line_by_line(tmp_path: Path) -> None:
    for name, text in {"a": "x\n\ny\n", "b": "u\nv\nw\n", "c": "u\n", "d": "\n\n\n"}.items():
        (tmp_path / f"{name}.txt").write_text(text)
    a, b, c, d = (tmp_path / f"{name}.txt" for name in "abcd")
    assert read_aligned([a, b]) == [("x", "y"), ("u", "w")]
    for paths, message in {(a,): "two files", (a, c): "no line 2", (a, d): "no usable line"}.items():
        with pytest.raises(LexigraftError, match=message):
            read_aligned(paths)


def test_a_text_of_which_nothing_is_left() -> None:
    with pytest.raises(LexigraftError, match="makes no token"):
        measure_tokenizer(wordpiece(), ["  "])
