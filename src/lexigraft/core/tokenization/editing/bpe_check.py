"""Refusal of tokenizers whose merges cannot be changed."""

from __future__ import annotations

from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.surface import component
from lexigraft.core.tokenization.vocabulary import Vocabulary


def refuse_other_than_bpe(vocabulary: Vocabulary) -> None:
    """Refuse a tokenizer that is no BPE, or a BPE that marks the continuation of words.

    Raises:
        LexigraftError: It is one.
    """
    model = vocabulary.tokenizer.backend_tokenizer.model
    kind = type(model).__name__
    if kind != "BPE":
        hint = "BPE has merges; Unigram is extended by unigram_em or append, WordPiece by append; train others anew"
        raise LexigraftError("merges can go on only where there are some", kind, hint)
    if prefix := component(model).get("continuing_subword_prefix"):
        raise LexigraftError("BPE with a prefix inside words is not supported", prefix, "Train a tokenizer instead")
