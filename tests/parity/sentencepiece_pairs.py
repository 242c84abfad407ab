"""SentencePiece pairs to compare on: a small made pair, and the pieces of XLM-R beside a Swahili Unigram tokenizer."""

from __future__ import annotations

import gzip
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lexigraft.testing.sample_text import SAMPLE

DATA = Path(os.environ.get("LEXIGRAFT_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
XLMR_ROLES = {
    "bos_token": "<s>",
    "eos_token": "</s>",
    "pad_token": "<pad>",
    "unk_token": "<unk>",
    "cls_token": "<s>",
    "sep_token": "</s>",
    "mask_token": "<mask>",
}


@dataclass(frozen=True)
class Pair:
    """Files that both sides read: two tokenizer folders, a source table and one fastText model."""

    source: Path
    target: Path
    table: Path
    vectors: Path


def made_pair(folder: Path) -> Pair:
    """Two Unigram tokenizers of words, endings and letters, one for each page of the sample text, and vectors."""
    source, target = (_words_and_endings(SAMPLE[variant]) for variant in ("source", "target"))
    return write_pair(folder, source, target, SAMPLE["target"].splitlines() * 20, dim=16)


def _words_and_endings(text: str) -> Any:
    words = Counter(text.split())
    pieces: Counter[str] = Counter({f"▁{word}": count for word, count in words.items()})
    for word, count in words.items():
        pieces.update({word[-n:]: count for n in range(2, min(len(word), 6))})
        pieces.update("▁" + word)
    return _unigram([*dict.fromkeys(XLMR_ROLES.values()), *(piece for piece, _ in sorted(pieces.items()))])


def _unigram(pieces: Sequence[str], step: float = 1e-2) -> Any:
    """A Unigram tokenizer without normalisation whose scores fall with the id."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    model = models.Unigram([(p, -i * step) for i, p in enumerate(pieces)], unk_id=pieces.index("<unk>"))
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return fast_tokenizer(tokenizer)


def real_pair(folder: Path, lines: int = 20_000, *, width: int = 64, dim: int = 64, **training: int) -> Pair:
    """XLM-R's 250,002 pieces and FOCUS's Swahili Unigram tokenizer (50k), vectors of Swahili news."""
    text = swahili_lines(lines)
    return write_pair(folder, xlmr_tokenizer(), swahili_tokenizer(), text, width=width, dim=dim, **training)


def swahili_lines(count: int) -> list[str]:
    """The first lines of the Swahili news."""
    with gzip.open(DATA / "swahili" / "train.swa.gz", "rt", encoding="utf-8") as file:
        return [line.strip() for _, line in zip(range(count), file, strict=False)]


def xlmr_tokenizer(size: int = 250_002) -> Any:
    """The pieces of XLM-R in id order (their scores are not published); of a smaller size, the first and `<mask>`."""
    with gzip.open(DATA / "tokenizers" / "xlm-roberta-base-pieces" / "pieces.txt.gz", "rt", encoding="utf-8") as file:
        pieces = file.read().rstrip("\n").split("\n")
    return _unigram([*pieces[: size - 1], pieces[-1]], step=1e-4)


def swahili_tokenizer(name: str = "sw-xlmr-unigram-50k") -> Any:
    """A tokenizer published with FOCUS."""
    from tokenizers import Tokenizer

    with gzip.open(DATA / "tokenizers" / "focus" / name / "tokenizer.json.gz", "rt", encoding="utf-8") as file:
        return fast_tokenizer(Tokenizer.from_str(file.read()))


def fast_tokenizer(tokenizer: Any) -> Any:
    """A backend tokenizer with XLM-R's special tokens."""
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **XLMR_ROLES, clean_up_tokenization_spaces=False)


def write_pair(
    folder: Path, source: Any, target: Any, text: list[str], *, dim: int, width: int = 64, **training: int
) -> Pair:
    """Save two tokenizers, a drawn source table, and fastText vectors of the target's tokens in a text."""
    import fasttext

    pair = Pair(folder / "source", folder / "target", folder / "table.npy", folder / "vectors.bin")
    source.save_pretrained(pair.source)
    target.save_pretrained(pair.target)
    generator = np.random.default_rng(0)
    means = 0.1 * generator.standard_normal(width, np.float32)
    np.save(pair.table, 0.2 * generator.standard_normal((len(source), width), np.float32) + means)
    tokenised = folder / "tokenised.txt"
    with tokenised.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in _tokenized(target, text))
    options = {"neg": 10, "epoch": 2, "minCount": 1, "thread": 1, "bucket": 20_000, "verbose": 0} | training
    model = fasttext.train_unsupervised(str(tokenised), model="cbow", dim=dim, **options)
    model.save_model(str(pair.vectors))
    return pair


def _tokenized(tokenizer: Any, text: list[str]) -> Iterator[str]:
    for encoding in tokenizer.backend_tokenizer.encode_batch(text, add_special_tokens=False):
        yield " ".join(encoding.tokens)
