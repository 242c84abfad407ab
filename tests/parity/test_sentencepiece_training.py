"""Tokenizers trained like a SentencePiece one, beside SentencePiece's own trainer on the same text.

Meant differences: SentencePiece breaks ties between equally frequent pairs by the pair's text and merges pairs that
occur once; ours, which are those of `tokenizers`, need two occurrences. So a few pieces differ at the end of the list.
Unigram is learned by SentencePiece's own trainer in both, and cut by `tokenizers` in ours.
"""

from __future__ import annotations

import io
from typing import Any

import pytest
import sentencepiece as spm

from lexigraft.core.data.cloned_language import clone_language
from lexigraft.core.data.installed_docs import documentation_text
from lexigraft.core.tokenization.editing.training_like import train_like
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.tiny_tokenizers import tiny_tokenizer

pytestmark = [pytest.mark.parity, pytest.mark.slow]
SIZE = 1500


@pytest.fixture(scope="module")
def lines() -> list[str]:
    text = documentation_text(max_chars=200_000, packages=("numpy",))
    return [" ".join(line.split()) for line in clone_language(text, seed=0).lines]


def theirs(lines: list[str], kind: str, pieces: int, **options: Any) -> spm.SentencePieceProcessor:
    model = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=model,
        model_type=kind,
        vocab_size=pieces,
        normalization_rule_name="identity",
        max_sentence_length=1 << 24,
        num_threads=1,
        minloglevel=3,
        **options,
    )
    return spm.SentencePieceProcessor(model_proto=model.getvalue())


def test_bpe(lines: list[str]) -> None:
    ours = train_like(Vocabulary.of(tiny_tokenizer("bpe_byte_fallback")), lines, SIZE)
    assert ours.size == SIZE
    text = {token for token in ours.tokens if not token.startswith("<")}
    peer = theirs(lines, "bpe", 3 + 256 + len(text), byte_fallback=True, character_coverage=0.9995)
    pieces = {peer.id_to_piece(i) for i in range(3 + 256, peer.get_piece_size())}
    assert len(text & pieces) > 0.95 * len(pieces)
    lengths = [sum(map(len, one)) for one in (ours.encode(lines), peer.encode(lines))]
    assert lengths[0] == pytest.approx(lengths[1], rel=0.01)


def test_unigram(lines: list[str]) -> None:
    source = Vocabulary.of(tiny_tokenizer("unigram"))
    ours = train_like(source, lines, SIZE)
    peer = theirs(lines, "unigram", SIZE - len(source.special_ids) + 3, character_coverage=1.0)
    assert set(ours.tokens) - {source.tokens[i] for i in source.special_ids} == {
        peer.id_to_piece(i) for i in range(3, peer.get_piece_size())
    }
    cut = [[ours.tokens[i] for i in ids] for ids in ours.encode(lines)]
    assert cut == [peer.encode(line, out_type=str) for line in lines]
