"""Training of a tokenizer like another: its normalizer, pre-tokenizer, special tokens and templates, new tokens."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any

from lexigraft.core.errors import LexigraftError, UnknownName
from lexigraft.core.tokenization.editing.rebuilding import description_of, with_description
from lexigraft.core.tokenization.editing.renumbering import renumber
from lexigraft.core.tokenization.editing.token_sequences import covering
from lexigraft.core.tokenization.number_splitting import digit_scheme
from lexigraft.core.tokenization.post_processing import tokens_added_by
from lexigraft.core.tokenization.surface import SPACE_MARK, Family, byte_level_alphabet
from lexigraft.core.tokenization.training import (
    frequent_characters,
    learn_merges,
    learn_unigram,
    learn_wordpieces,
)
from lexigraft.core.tokenization.unknown_tokens import unknown_ids
from lexigraft.core.tokenization.vocabulary import Vocabulary

Model = dict[str, Any]

TYPES = {
    Family.BYTE_LEVEL: {"BPE": "byte_bpe"},
    Family.SENTENCEPIECE: {"Unigram": "unigram", "BPE": "bpe"},
    Family.WORDPIECE: {"WordPiece": "wordpiece"},
}
"""The types of each family, by the name of the model: a normalizer and a pre-tokenizer serve no others."""

PREFIX = "##"

_LOG = logging.getLogger("lexigraft")


def type_like(vocabulary: Vocabulary, asked: str | None = None) -> str:
    """The type of a tokenizer that is trained like another.

    Args:
        vocabulary: The other's vocabulary.
        asked: A type; ``None`` takes the other's own.

    Returns:
        ``unigram``, ``bpe``, ``byte_bpe`` or ``wordpiece``.

    Raises:
        LexigraftError: No tokenizer is trained like this one.
        UnknownName: Its normalizer and pre-tokenizer do not serve this type.
    """
    model = vocabulary.tokenizer.backend_tokenizer.model
    types = TYPES.get(vocabulary.family, {})
    own = types.get(type(model).__name__)
    if own is None or (own == "wordpiece" and model.continuing_subword_prefix != PREFIX):
        found = f"{type(model).__name__}, {vocabulary.family.value}"
        hint = "Byte-level BPE, SentencePiece BPE, Unigram, and WordPiece with ## are; train without --like instead"
        raise LexigraftError("no tokenizer is trained like one of this kind", found, hint)
    if asked is not None and asked not in types.values():
        raise UnknownName("type for this tokenizer's normalizer and pre-tokenizer", asked, list(types.values()))
    return asked or own


def train_like(vocabulary: Vocabulary, lines: Sequence[str], size: int, type: str | None = None) -> Vocabulary:
    """Train a tokenizer that differs from another in the tokens of text alone.

    Normalizer, pre-tokenizer, decoder, post-processor, chat template, roles, special and added tokens with their flags
    are the other's. Special tokens come first, in the other's order. SentencePiece BPE parts letters, digits and signs
    in training, as SentencePiece does, and every digit where the other does.

    Args:
        vocabulary: The other's vocabulary, which stays as it is.
        lines: Text to learn from.
        size: How many tokens at most; a warning says where the text yields fewer.
        type: ``unigram``, ``bpe``, ``byte_bpe`` or ``wordpiece``; ``None`` takes the other's own.

    Returns:
        The new vocabulary.

    Raises:
        LexigraftError: No tokenizer is trained like this one, the type is not one that its parts serve, or special
            tokens, bytes and characters do not fit into the size.
    """
    type = type_like(vocabulary, type)
    described = description_of(vocabulary)
    model = described["model"]
    reserved = _reserved(vocabulary, described)
    later = [t["content"] for t in described["added_tokens"] if t["content"] not in reserved]
    described["model"] = _model(vocabulary, model, type, lines, size - len(later), reserved)
    tokens = _tokens_of(described["model"])
    if len(tokens) + len(later) > size:
        hint = f"Special tokens, bytes and characters take {len(tokens) + len(later):,}; give a larger size"
        raise LexigraftError("the size is too small", size, hint)
    ids = {token: n for n, token in enumerate([*tokens, *later])}
    for token in described["added_tokens"]:
        token["id"] = ids[token["content"]]
    described["added_tokens"].sort(key=lambda token: token["id"])
    renumber(described["post_processor"], ids)
    trained = with_description(vocabulary, described)
    if list(trained.tokens) != list(ids):
        raise LexigraftError("an added token cannot be kept", ", ".join(later[:3]), "Train without --like instead")
    if trained.size < size:
        _LOG.warning("the corpus yields %d %s tokens, %d were asked for", trained.size, type, size)
    return trained


def learned_tokens(vocabulary: Vocabulary, lines: Sequence[str], size: int) -> list[str]:
    """The tokens of text of a tokenizer trained like another, in the order in which they are learned.

    Args:
        vocabulary: The other's vocabulary.
        lines: Text to learn from.
        size: How many tokens at most, special tokens included.

    Returns:
        Token strings; Unigram's pieces by probability, merged tokens by rank.
    """
    described = description_of(vocabulary)
    reserved = _reserved(vocabulary, described)
    learned = _model(vocabulary, described["model"], type_like(vocabulary), lines, size, reserved)
    return [token for token in _tokens_of(learned) if token not in reserved]


def _reserved(vocabulary: Vocabulary, described: Model) -> dict[str, None]:
    """Tokens that come first: special, unknown and byte pieces, those of the post-processor, those inside the model.

    Other added tokens stay outside the model's vocabulary, where their text is what they say.
    """
    model = vocabulary.tokenizer.backend_tokenizer.model
    added = vocabulary.tokenizer.added_tokens_decoder
    ids = {*vocabulary.special_ids, *unknown_ids(vocabulary)}
    ids |= {i for i, token in added.items() if model.token_to_id(token.content) == i}
    ids |= {i for _, i in tokens_added_by(described["post_processor"])}
    if described["model"].get("byte_fallback"):
        ids |= set(vocabulary.byte_tokens.values())
    return dict.fromkeys(vocabulary.tokens[i] for i in sorted(ids))


def _tokens_of(model: Model) -> list[str]:
    if model["type"] == "Unigram":
        return [piece for piece, _ in model["vocab"]]
    return sorted(model["vocab"], key=model["vocab"].__getitem__)


def _model(
    vocabulary: Vocabulary, model: Model, type: str, lines: Sequence[str], size: int, reserved: dict[str, None]
) -> Model:
    backend = vocabulary.tokenizer.backend_tokenizer
    normalizer, splitter = backend.normalizer, backend.pre_tokenizer
    clean = [normalizer.normalize_str(line) for line in lines] if normalizer is not None else list(lines)
    by_digit = digit_scheme(vocabulary).name == "digit by digit"
    unknown = next((vocabulary.tokens[i] for i in unknown_ids(vocabulary)), None)
    fallback = bool(model.get("byte_fallback"))
    if type == "unigram":
        scores = dict(model["vocab"]) if model["type"] == "Unigram" else {}
        text = [line.replace(SPACE_MARK, " ") for line in clean]
        pieces = learn_unigram(text, size - len(reserved), fallback, split_digits=by_digit)
        found = [[token, scores.get(token, 0.0)] for token in reserved]
        found += [[piece, score] for piece, score in pieces if piece not in reserved]
        unk_id = None if unknown is None else list(reserved).index(unknown)
        return {"type": "Unigram", "unk_id": unk_id, "vocab": found, "byte_fallback": fallback}
    if type == "wordpiece":
        words = [[w for w, _ in splitter.pre_tokenize_str(line)] if splitter else [line] for line in clean]
        return model | {"vocab": learn_wordpieces(words, size, list(reserved))}
    if type == "byte_bpe":
        ids, merges = learn_merges(clean, size, _sequence(splitter), list(reserved), sorted(byte_level_alphabet()))
    else:
        alphabet = _characters(clean, (size - len(reserved)) // 2, fallback)
        split = _sequence(splitter, _word_parts(by_digit))
        ids, merges = learn_merges(clean, size, split, list(reserved), alphabet)
    kept = model if model["type"] == "BPE" else {"type": "BPE", "unk_token": unknown, "byte_fallback": fallback}
    return {"fuse_unk": True} | kept | {"vocab": ids, "merges": [list(pair) for pair in merges]}


def _characters(lines: Sequence[str], limit: int, fallback: bool) -> list[str]:
    if not fallback:
        frequent = frequent_characters(lines, limit)
    else:
        counts = Counter(c for line in lines for c in line)
        frequent = covering(counts, counts.total())[:limit]
    return sorted({SPACE_MARK, *(c for c in frequent if c != " ")})


def _sequence(*steps: Any) -> Any:
    from tokenizers import pre_tokenizers

    return pre_tokenizers.Sequence([step for step in steps if step is not None])


def _word_parts(by_digit: bool) -> Any:
    """The words of SentencePiece's training, each with the mark of its start: letters, digits, or signs."""
    from tokenizers import Regex, pre_tokenizers

    digits = r"\p{N}" if by_digit else r"▁?\p{N}+"
    return pre_tokenizers.Split(Regex(rf"▁?[\p{{L}}\p{{M}}]+|{digits}|▁?[^▁\p{{L}}\p{{M}}\p{{N}}]+|▁"), "isolated")
