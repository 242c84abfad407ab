"""Vocabularies learnt from text, the same ones in every process: Unigram, byte-pair merges, WordPiece.

The trainers of the ``tokenizers`` library walk hash maps in an order that changes from process to process; Unigram and
WordPiece (not BPE) give another vocabulary each time. So Unigram comes from SentencePiece with one thread, and
WordPiece from BPE over text whose word-internal characters are marked.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from lexigraft.core.errors import LexigraftError

INTERNAL = 0xF0000


def learn_unigram(lines: Sequence[str], size: int, byte_fallback: bool) -> list[tuple[str, float]]:
    """Pieces with log probabilities, most probable first (Kudo 2018, SentencePiece's trainer).

    Args:
        lines: Normalised text.
        size: How many pieces at most; byte pieces not counted.
        byte_fallback: Leave rare characters to byte pieces instead of giving every character a piece.

    Returns:
        (piece, log probability) pairs.

    Raises:
        LexigraftError: The characters of the text do not fit into the size.
    """
    import sentencepiece as spm

    written = io.BytesIO()
    try:
        spm.SentencePieceTrainer.train(
            sentence_iterator=iter(lines),
            model_writer=written,
            model_type="unigram",
            vocab_size=size + 3,
            hard_vocab_limit=False,
            character_coverage=0.9995 if byte_fallback else 1.0,
            normalization_rule_name="identity",
            max_sentence_length=1 << 24,
            num_threads=1,
            minloglevel=3,
        )
    except RuntimeError as fault:
        characters = len(set().union(*lines))
        hint = f"The text has {characters} different characters; give a larger size, more text, or byte_fallback"
        raise LexigraftError("Unigram training failed", f"size {size}", f"{hint} ({_reason(fault)})") from None
    model = spm.SentencePieceProcessor(model_proto=written.getvalue())
    ids = [i for i in range(model.get_piece_size()) if not (model.is_control(i) or model.is_unknown(i))]
    return [(model.id_to_piece(i), float(model.get_score(i))) for i in ids]


def _reason(fault: Exception) -> str:
    return " ".join(str(fault).split())[-160:]


def learn_merges(
    lines: Iterable[str], size: int, pre_tokenizer: Any, reserved: Sequence[str] = (), alphabet: Sequence[str] = ()
) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Byte-pair merges seen at least twice (Sennrich et al. 2016).

    Args:
        lines: Normalised text.
        size: How many tokens at most, reserved ones included.
        pre_tokenizer: Splits lines into words.
        reserved: Tokens that take the first ids.
        alphabet: The only characters tokens are made of; others become unknown.

    Returns:
        Token ids, and the merges in order.
    """
    from tokenizers import Tokenizer, models, trainers

    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizer
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=2,
        special_tokens=list(reserved),
        initial_alphabet=list(alphabet),
        limit_alphabet=len(alphabet),
        show_progress=False,
    )
    learner.train_from_iterator(lines, trainer)
    model = json.loads(learner.to_str())["model"]
    merges = [tuple(m) if isinstance(m, list) else tuple(m.split(" ")) for m in model["merges"]]
    return model["vocab"], merges


def frequent_characters(lines: Iterable[str], limit: int) -> list[str]:
    """The most frequent characters, at most ``limit``; ties go to the lower code point."""
    counts: Counter[str] = Counter()
    for line in lines:
        counts.update(line)
    return sorted(sorted(counts, key=lambda c: (-counts[c], c))[:limit])


def learn_wordpieces(words: Sequence[Sequence[str]], size: int, reserved: Sequence[str]) -> dict[str, int]:
    """WordPiece tokens by BPE merges, as ``##`` pieces inside words (Schuster & Nakajima 2012; BERT's form).

    Args:
        words: The words of each line.
        size: How many tokens at most, reserved ones included.
        reserved: Tokens that take the first ids.

    Returns:
        Token ids.
    """
    from tokenizers import pre_tokenizers

    characters = sorted(set().union(*(word for line in words for word in line)))
    inside = {c: chr(INTERNAL + i) for i, c in enumerate(characters)}
    outside = {mark: c for c, mark in inside.items()}
    table = str.maketrans(inside)
    marked = [" ".join(word[0] + word[1:].translate(table) for word in line) for line in words]
    alphabet = [c for c in frequent_characters(marked, (size - len(reserved)) // 2 + 1) if c != " "]
    vocabulary, _ = learn_merges(marked, size, pre_tokenizers.WhitespaceSplit(), reserved, alphabet)
    back = str.maketrans(outside)
    return {("##" if t[0] in outside else "") + t.translate(back): i for t, i in vocabulary.items()}
