"""Trained tokenizers: roles, sizes, round trips, the same one in every process."""

from __future__ import annotations

import hashlib
import logging
import os
import subprocess
import sys

import pytest

from lexigraft.core.config.recipe import TokenizerSettings
from lexigraft.core.data.cloned_language import clone_language
from lexigraft.core.data.corpus import Corpus
from lexigraft.core.data.installed_docs import documentation_text
from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.training import train_tokenizer

KINDS = [
    ("unigram", False),
    ("unigram", True),
    ("bpe", False),
    ("bpe", True),
    ("byte_bpe", False),
    ("wordpiece", False),
]


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    lines = documentation_text(max_chars=80_000, packages=("numpy",))
    return Corpus.of(clone_language(lines, seed=0).lines)


def settings(kind: str, fallback: bool, **more: object) -> TokenizerSettings:
    return TokenizerSettings.model_validate({"type": kind, "size": 700, "byte_fallback": fallback, **more})


@pytest.mark.parametrize(("kind", "fallback"), KINDS)
def test_size_roles_and_round_trip(corpus: Corpus, kind: str, fallback: bool) -> None:
    tokenizer = train_tokenizer(settings(kind, fallback), corpus)
    assert len(tokenizer) == 700
    assert sorted(tokenizer.get_vocab().values()) == list(range(700))
    roles = [getattr(tokenizer, f"{r}_token_id") for r in ("bos", "eos", "pad", "unk", "cls", "sep", "mask")]
    assert all(isinstance(i, int) for i in roles)
    assert len(set(roles)) == 5
    assert tokenizer.model_max_length == 512
    text = " ".join(corpus.lines[3].split()[:4])
    ids = tokenizer(text).input_ids
    assert (ids[0], ids[-1]) == (tokenizer.cls_token_id, tokenizer.sep_token_id)
    assert tokenizer.decode(ids, skip_special_tokens=True).strip() == text
    assert tokenizer.unk_token_id not in ids


@pytest.mark.parametrize(("kind", "fallback"), KINDS)
def test_unknown_characters(corpus: Corpus, kind: str, fallback: bool) -> None:
    tokenizer = train_tokenizer(settings(kind, fallback), corpus)
    ids = tokenizer("ka 😀", add_special_tokens=False).input_ids
    lossless = fallback or kind == "byte_bpe"
    assert (tokenizer.unk_token_id in ids) is not lossless
    if lossless:
        assert tokenizer.decode(ids) == "ka 😀"


@pytest.mark.parametrize("kind", ["unigram", "bpe", "byte_bpe", "wordpiece"])
def test_normalises_to_nfc_and_to_lower_case_when_asked(corpus: Corpus, kind: str) -> None:
    tokenizer = train_tokenizer(settings(kind, False), corpus)
    assert tokenizer.tokenize("n\u0303aku") == tokenizer.tokenize("ñaku")
    lower = train_tokenizer(settings(kind, False, lowercase=True), corpus)
    assert lower.tokenize("KALLU") == lower.tokenize("kallu")
    assert len(lower) == 700


SCRIPT = """
import hashlib
from lexigraft.core.data.corpus import Corpus
from lexigraft.core.config.recipe import TokenizerSettings
from lexigraft.core.tokenization.training import train_tokenizer
import sys
lines = sys.stdin.read().splitlines()
for kind in ("unigram", "bpe", "byte_bpe", "wordpiece"):
    tokenizer = train_tokenizer(TokenizerSettings(type=kind, size=700), Corpus.of(lines))
    print(hashlib.sha256(tokenizer.backend_tokenizer.to_str().encode()).hexdigest())
"""


@pytest.mark.slow
def test_the_same_tokenizer_in_another_process(corpus: Corpus) -> None:
    here = [
        hashlib.sha256(train_tokenizer(settings(k, False), corpus).backend_tokenizer.to_str().encode()).hexdigest()
        for k in ("unigram", "bpe", "byte_bpe", "wordpiece")
    ]
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input="\n".join(corpus.lines),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONIOENCODING": "utf-8"},
    )
    assert run.stdout.split() == here


def test_too_small_a_corpus_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="lexigraft"):
        tokenizer = train_tokenizer(
            TokenizerSettings(type="bpe", size=5000), Corpus.of(["a small text is a small text"])
        )
    assert len(tokenizer) < 100
    assert f"yields {len(tokenizer)} bpe tokens, 5000 were asked for" in caplog.text


def test_impossible_sizes_and_no_text(corpus: Corpus) -> None:
    with pytest.raises(LexigraftError, match="no text"):
        train_tokenizer(TokenizerSettings(), Corpus.of([]))
    with pytest.raises(LexigraftError, match="different characters"):
        train_tokenizer(TokenizerSettings(type="unigram", size=300, byte_fallback=True), corpus)
    chinese = ["".join(chr(0x4E00 + 40 * i + j) for j in range(40)) for i in range(40)]
    with pytest.raises(LexigraftError, match="1600 different characters"):
        train_tokenizer(TokenizerSettings(type="unigram", size=500), Corpus.of(chinese))
