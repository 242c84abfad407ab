"""WordPiece and byte-level pairs to compare on, made and real."""

from __future__ import annotations

import gzip
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from fixtures.real_tokenizers import load_real
from lexigraft.core.config.recipe import TokenizerSettings
from lexigraft.core.data.corpus import Corpus
from lexigraft.core.tokenization.training import train_tokenizer
from lexigraft.testing.sample_text import SAMPLE
from parity.sentencepiece_pairs import DATA, XLMR_ROLES, Pair, fast_tokenizer, write_pair

BERT_ROLES = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}


def made_wordpiece_pair(folder: Path) -> Pair:
    """Two WordPiece tokenizers of words, endings and letters, one for each page of the sample text.

    Like BERT's they have punctuation inside words, which the pre-tokenizer never leaves there.
    """
    source, target = (_wordpiece(SAMPLE[variant]) for variant in ("source", "target"))
    return write_pair(folder, source, target, SAMPLE["target"].splitlines() * 20, dim=16)


def _wordpiece(text: str) -> Any:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    cut = pre_tokenizers.BertPreTokenizer()
    words = [word for line in text.splitlines() for word, _ in cut.pre_tokenize_str(line)]
    pieces = Counter(words)
    for word in words:
        pieces.update({f"##{word[-n:]}": 1 for n in range(2, min(len(word), 6))})
        pieces.update([word[0], *(f"##{letter}" for letter in (word[1:] if word.isalnum() else word))])
    vocabulary = [*BERT_ROLES.values(), *(piece for piece, _ in sorted(pieces.items()))]
    tokenizer = Tokenizer(models.WordPiece({p: i for i, p in enumerate(vocabulary)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    tokenizer.pre_tokenizer = cut
    tokenizer.decoder = decoders.WordPiece()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **BERT_ROLES)


def made_byte_level_pair(folder: Path) -> Pair:
    """Two byte-level BPE tokenizers trained on the pages of the sample text; their single bytes are fragments."""
    source, target = (_byte_level(SAMPLE[variant]) for variant in ("source", "target"))
    return write_pair(folder, source, target, SAMPLE["target"].splitlines() * 20, dim=16)


def made_mixed_pair(folder: Path) -> Pair:
    """The WordPiece source and the byte-level target of the pairs above."""
    source, target = _wordpiece(SAMPLE["source"]), _byte_level(SAMPLE["target"])
    return write_pair(folder, source, target, SAMPLE["target"].splitlines() * 20, dim=16)


def _byte_level(text: str) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=800,
        special_tokens=list(dict.fromkeys(XLMR_ROLES.values())),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(text.splitlines(), trainer)
    return fast_tokenizer(tokenizer)


def real_wordpiece_pair(folder: Path) -> Pair:
    """Multilingual BERT beside a cased WordPiece tokenizer of 10,000 tokens trained on Swahili news."""
    text = _swahili(20_000)
    target = train_tokenizer(TokenizerSettings(type="wordpiece", size=10_000), Corpus.of(text))
    return write_pair(folder, _real("mBERT"), target, text, dim=64)


def real_byte_level_pair(folder: Path) -> Pair:
    """GPT-2 beside FOCUS's Swahili byte-level tokenizer (50k), vectors of a little Swahili news.

    Only tokens of the text have a vector, and deepfocus takes its time for each.
    """
    return write_pair(folder, _real("GPT-2"), _real("sw-bpe-50k"), _swahili(2_000), dim=64)


def _real(name: str) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        return load_real(name, Path(folder)).tokenizer


def _swahili(lines: int) -> list[str]:
    with gzip.open(DATA / "swahili" / "train.swa.gz", "rt", encoding="utf-8") as file:
        return [line for _, line in zip(range(lines), file, strict=False)]
