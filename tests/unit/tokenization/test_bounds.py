"""Tokenizer files that would fill the memory or never end: one error, at once."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.tiny_tokenizers import Family, tiny_tokenizer


@pytest.mark.parametrize("number", [10**8, 2**31, 2**32 - 1, 2**32, 2**64, -1])
@pytest.mark.parametrize("family", ["byte_bpe", "wordpiece"])
@pytest.mark.parametrize("layout", ["file", "folder", "vocab.json"])
def test_ids_beyond_any_vocabulary_are_refused_at_once(
    tmp_path: Path, number: int, family: Family, layout: str
) -> None:
    tokenizer = tiny_tokenizer(family)
    content = json.loads(tokenizer.backend_tokenizer.to_str())
    content["model"]["vocab"][list(content["model"]["vocab"])[-1]] = number
    if layout == "vocab.json":
        (tmp_path / "vocab.json").write_text(json.dumps(content["model"]["vocab"]))
        (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    else:
        (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    if layout == "folder":
        (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))
    started = time.monotonic()
    with pytest.raises(LexigraftError, match=r"token id is too large|cannot be loaded|invalid value"):
        load_vocabulary(tmp_path if layout == "folder" else next(tmp_path.iterdir()))
    assert time.monotonic() - started < 20


def test_tokens_that_are_long_numbers_are_none(tmp_path: Path) -> None:
    backend = Tokenizer(models.WordPiece({"[UNK]": 0, "123456789012": 1, '"x": 99999999999': 2}, unk_token="[UNK]"))
    backend.save(str(tmp_path / "tokenizer.json"))
    assert load_vocabulary(tmp_path / "tokenizer.json").size == 3


def hostile(step: str) -> Tokenizer:
    backend = Tokenizer(models.BPE({"a": 0, "b": 1}, []))
    if step == "pre-tokenizer":
        backend.pre_tokenizer = pre_tokenizers.Split(Regex("(a+)+c"), "isolated")
    else:
        backend.normalizer = normalizers.Replace(Regex("(a+)+c"), "")
    return backend


@pytest.mark.parametrize("step", ["pre-tokenizer", "normalizer"])
def test_a_regular_expression_that_does_not_end_is_refused_at_once(tmp_path: Path, step: str) -> None:
    hostile(step).save(str(tmp_path / "tokenizer.json"))
    started = time.monotonic()
    with pytest.raises(LexigraftError, match="retry-limit"):
        load_vocabulary(tmp_path / "tokenizer.json")
    assert time.monotonic() - started < 20


def test_a_text_on_which_it_does_not_end_is_an_error_too() -> None:
    from transformers import PreTrainedTokenizerFast

    backend = hostile("pre-tokenizer")
    loaded = Vocabulary.of(PreTrainedTokenizerFast(tokenizer_object=backend))
    assert loaded.encode(["abab"]) == [[0, 1, 0, 1]]
    with pytest.raises(LexigraftError, match="gives up"):
        loaded.encode(["a" * 100])
