"""Tokenizers that raise an error on text that they have no token for."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from fixtures.vocabularies import tiny_vocabulary
from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.target_check import check_usable
from lexigraft.core.tokenization.unknown_token_check import check_encodes
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.tiny_tokenizers import Family


def without_unknown_token(kind: str) -> Vocabulary:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    made: dict[str, Any] = {
        "unigram": lambda: models.Unigram([("a", -1.0)]),
        "unigram_byte_fallback": lambda: models.Unigram(
            [("a", -1.0), *((f"<0x{b:02X}>", -9.0) for b in range(256))], byte_fallback=True
        ),
        "wordpiece": lambda: models.WordPiece({"a": 0}, unk_token="[UNK]"),
        "word_level": lambda: models.WordLevel({"a": 0}, unk_token="[UNK]"),
    }
    return Vocabulary.of(PreTrainedTokenizerFast(tokenizer_object=Tokenizer(made[kind]())))


@pytest.mark.parametrize("family", get_args(Family))
def test_every_family_encodes_rare_letters(family: Family) -> None:
    check_encodes(tiny_vocabulary(family))


@pytest.mark.parametrize("kind", ["unigram", "unigram_byte_fallback", "wordpiece", "word_level"])
def test_a_model_without_an_unknown_token_is_refused(kind: str) -> None:
    with pytest.raises(LexigraftError, match="no token for") as raised:
        check_encodes(without_unknown_token(kind))
    assert "unknown token" in raised.value.hint
    with pytest.raises(LexigraftError, match="no token for"):
        check_usable(without_unknown_token(kind))


def test_an_added_token_that_the_normalizer_removes_is_refused() -> None:
    from tokenizers import AddedToken, Tokenizer, models, normalizers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordLevel({"a": 0, "[UNK]": 1}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()])
    tokenizer.add_tokens([AddedToken("\u0303", normalized=True)])  # of a combining tilde nothing is left
    vocabulary = Vocabulary.of(PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]"))
    with pytest.raises(LexigraftError, match="no token for") as raised:
        check_usable(vocabulary)
    assert "normalizer" in raised.value.hint
