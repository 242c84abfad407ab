"""Training of BPE, Unigram and WordPiece tokenizers."""

from __future__ import annotations

import io
import json
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lexigraft.core.config.recipe import TokenizerSettings
from lexigraft.core.data.corpus import Corpus
from lexigraft.core.errors import LexigraftError

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast


INTERNAL = 0xF0000
"""First of the private code points that mark characters inside words."""


def learn_unigram(
    lines: Sequence[str], size: int, byte_fallback: bool, *, split_digits: bool = False
) -> list[tuple[str, float]]:
    """Pieces with log probabilities, most probable first (Kudo 2018, SentencePiece's trainer).

    Args:
        lines: Normalized text.
        size: How many pieces at most; byte pieces not counted.
        byte_fallback: Leave rare characters to byte pieces instead of giving every character a piece.
        split_digits: Whether each digit is a piece of its own.

    Returns:
        (piece, log probability) pairs.

    Raises:
        LexigraftError: The characters of the text do not fit into the size.
    """
    import sentencepiece as spm

    model_file = io.BytesIO()
    try:
        spm.SentencePieceTrainer.train(
            sentence_iterator=iter(lines),
            model_writer=model_file,
            model_type="unigram",
            vocab_size=size + 3,
            hard_vocab_limit=False,
            character_coverage=0.9995 if byte_fallback else 1.0,
            split_digits=split_digits,
            normalization_rule_name="identity",
            max_sentence_length=1 << 24,
            num_threads=1,
            minloglevel=3,
        )
    except RuntimeError as error:
        characters = len(set().union(*lines))
        hint = f"The text has {characters} different characters; give a larger size, more text, or byte_fallback"
        raise LexigraftError("Unigram training failed", f"size {size}", f"{hint} ({_reason(error)})") from None
    model = spm.SentencePieceProcessor(model_proto=model_file.getvalue())
    ids = [i for i in range(model.get_piece_size()) if not (model.is_control(i) or model.is_unknown(i))]
    return [(model.id_to_piece(i), float(model.get_score(i))) for i in ids]


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[-160:]


def learn_merges(
    lines: Iterable[str], size: int, pre_tokenizer: Any, reserved: Sequence[str] = (), alphabet: Sequence[str] = ()
) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Byte-pair merges seen at least twice (Sennrich et al. 2016).

    Args:
        lines: Normalized text.
        size: How many tokens at most, reserved ones included.
        pre_tokenizer: Splits lines into words.
        reserved: Tokens that take the first ids.
        alphabet: The characters that tokens may contain; others become unknown.

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


ROBERTA_STYLE = {
    "bos": "<s>", "pad": "<pad>", "eos": "</s>", "unk": "<unk>", "mask": "<mask>", "cls": "<s>", "sep": "</s>",
}  # fmt: skip

BERT_STYLE = {
    "pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]", "bos": "[CLS]", "eos": "[SEP]",
}  # fmt: skip

BYTE_PIECES = tuple(f"<0x{b:02X}>" for b in range(256))

BYTE_SCORE = -100.0

MAX_LENGTH = 512

logger = logging.getLogger("lexigraft")


def train_tokenizer(settings: TokenizerSettings, corpus: Corpus) -> PreTrainedTokenizerFast:
    """Train a tokenizer with every role filled and a post-processor that wraps text in cls and sep.

    The same corpus and settings give the same tokenizer, in every process. Text is brought to NFC (and lower case when
    asked); WordPiece also cleans control characters and isolates Chinese characters, as BERT does. When the corpus is
    too small for the size asked for, the tokenizer is smaller and a warning says so.

    Args:
        settings: Type, size, lower-casing, byte fallback (of ``unigram`` and ``bpe``; the others ignore it).
        corpus: The text.

    Returns:
        A tokenizer with at most ``settings.size`` tokens, ``model_max_length`` 512.

    Raises:
        LexigraftError: The corpus is empty, or its characters do not fit into the size.
    """
    from transformers import PreTrainedTokenizerFast

    if not corpus.lines:
        raise LexigraftError("no text to train a tokenizer on", hint="Give a corpus with at least one line")
    roles = BERT_STYLE if settings.type == "wordpiece" else ROBERTA_STYLE
    backend = _backend(settings, corpus.lines, tuple(dict.fromkeys(roles.values())))
    backend.post_processor = _wrapping(backend, roles)
    size = backend.get_vocab_size()
    if size < settings.size:
        logger.warning("the corpus yields %d %s tokens, %d were asked for", size, settings.type, settings.size)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_max_length=MAX_LENGTH,
        clean_up_tokenization_spaces=False,
        **{f"{role}_token": token for role, token in roles.items()},
    )


def _backend(settings: TokenizerSettings, lines: Sequence[str], specials: tuple[str, ...]) -> Tokenizer:
    from tokenizers import AddedToken, Tokenizer, normalizers

    fallback = settings.byte_fallback and settings.type in ("unigram", "bpe")
    reserved = specials + (BYTE_PIECES if fallback else ())
    steps: list[Any] = [normalizers.NFC(), *([normalizers.Lowercase()] if settings.lowercase else [])]
    if settings.type == "wordpiece":
        steps.append(normalizers.BertNormalizer(strip_accents=False, lowercase=False))
    normalizer = normalizers.Sequence(steps)
    splitter, decoder = _splitter_and_decoder(settings, fallback)
    clean = [normalizer.normalize_str(line) for line in lines]
    backend = Tokenizer(_model(settings, clean, splitter, reserved))
    backend.normalizer, backend.pre_tokenizer, backend.decoder = normalizer, splitter, decoder
    masks = ("<mask>", "[MASK]")
    backend.add_special_tokens([AddedToken(t, lstrip=t in masks, special=True, normalized=False) for t in specials])
    return backend


def _splitter_and_decoder(settings: TokenizerSettings, fallback: bool) -> tuple[Any, Any]:
    from tokenizers import decoders, pre_tokenizers

    if settings.type == "byte_bpe":
        return pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    if settings.type == "wordpiece":
        return pre_tokenizers.BertPreTokenizer(), decoders.WordPiece()
    if not fallback:
        return pre_tokenizers.Metaspace(), decoders.Metaspace()
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    return pre_tokenizers.Metaspace(), decoders.Sequence(steps)


def _model(settings: TokenizerSettings, lines: Sequence[str], splitter: Any, reserved: tuple[str, ...]) -> Any:
    from tokenizers import models, pre_tokenizers

    fallback = len(reserved) > len(BYTE_PIECES)
    unknown = ROBERTA_STYLE["unk"]
    if settings.type == "unigram":
        learned = learn_unigram(lines, settings.size - len(reserved), fallback)
        first = [(t, BYTE_SCORE if t in BYTE_PIECES else 0.0) for t in reserved]
        taken = frozenset(reserved)
        pieces = [*first, *(p for p in learned if p[0] not in taken)]
        return models.Unigram(pieces, unk_id=reserved.index(unknown), byte_fallback=fallback)
    if settings.type == "wordpiece":
        words = [[w for w, _ in splitter.pre_tokenize_str(line)] for line in lines]
        return models.WordPiece(learn_wordpieces(words, settings.size, reserved), unk_token=BERT_STYLE["unk"])
    if settings.type == "byte_bpe":
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        vocabulary, merges = learn_merges(lines, settings.size, splitter, reserved, alphabet)
        return models.BPE(vocabulary, merges)
    frequent = frequent_characters(lines, (settings.size - len(reserved)) // 2)
    alphabet = sorted({"▁", *(c for c in frequent if c != " ")})
    vocabulary, merges = learn_merges(lines, settings.size, splitter, reserved, alphabet)
    return models.BPE(vocabulary, merges, unk_token=unknown, fuse_unk=True, byte_fallback=fallback)


def _wrapping(backend: Tokenizer, roles: Mapping[str, str]) -> Any:
    from tokenizers import processors

    cls, sep = roles["cls"], roles["sep"]
    roberta = roles is ROBERTA_STYLE
    second = 0 if roberta else 1
    return processors.TemplateProcessing(
        single=f"{cls}:0 $A:0 {sep}:0",
        pair=f"{cls}:0 $A:0 {sep}:0 {f'{sep}:0 ' if roberta else ''}$B:{second} {sep}:{second}",
        special_tokens=[(t, backend.token_to_id(t)) for t in (cls, sep)],
    )
