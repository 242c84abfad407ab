"""Training of a target tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lexigraft.core.config.recipe import TokenizerSettings
from lexigraft.core.data.corpus import Corpus, load_corpus
from lexigraft.core.data.temperature_sampling import mixed
from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.files.saving import save_tokenizer
from lexigraft.core.utils.files import refuse_existing, whole_folder

Paths = Sequence[str | Path]


@dataclass(frozen=True)
class TokenizerResult:
    """A trained tokenizer.

    Attributes:
        type: Its type: ``unigram``, ``bpe``, ``byte_bpe`` or ``wordpiece``.
        tokens: How many tokens it has.
        shares: The share of each corpus in the text that it learned from; empty where no temperature was given.
        out: The folder that was written.
    """

    type: str
    tokens: int
    shares: dict[str, float]
    out: Path

    def as_json(self) -> dict[str, Any]:
        """Plain values; shares where there are some."""
        values = {**asdict(self), "out": str(self.out)}
        return {key: value for key, value in values.items() if value != {}}


def make_tokenizer(
    corpus: Paths,
    out: str | Path,
    settings: TokenizerSettings,
    *,
    temperature: float | None = None,
    force: bool = False,
) -> TokenizerResult:
    """Train a target tokenizer and write it.

    Args:
        corpus: Files of target text.
        out: The folder to write.
        settings: Type and size.
        temperature: Repeat the lines of small corpora, each of the files being one, so that shares are in proportion to
            ``characters ** (1 / temperature)``; ``None`` joins the files.
        force: Whether an existing folder is replaced.

    Returns:
        Type, number of tokens, and where the folder is.

    Raises:
        LexigraftError: Anything wrong with the inputs.
    """
    from lexigraft.core.tokenization.training import train_tokenizer

    refuse_existing(Path(out), force)
    text, shares = _read(corpus, temperature)
    tokenizer = train_tokenizer(settings, text)
    return _written(tokenizer, settings.type, shares, Path(out), force)


def make_tokenizer_like(
    source: str | Path,
    corpus: Paths,
    out: str | Path,
    *,
    size: int,
    type: str | None = None,
    temperature: float | None = None,
    force: bool = False,
) -> TokenizerResult:
    """Train a target tokenizer with another's normalizer, pre-tokenizer, special tokens and templates, and write it.

    Args:
        source: The other tokenizer: a folder, a tokenizer file or a Hub name.
        corpus: Files of target text.
        out: The folder to write.
        size: How many tokens at most.
        type: ``unigram``, ``bpe``, ``byte_bpe`` or ``wordpiece``; ``None`` takes the other's own.
        temperature: As for :func:`make_tokenizer`.
        force: Whether an existing folder is replaced.

    Returns:
        Type, number of tokens, and where the folder is.

    Raises:
        LexigraftError: Anything wrong with the inputs.
    """
    from lexigraft.core.tokenization.editing.training_like import train_like, type_like
    from lexigraft.core.tokenization.files.loading import load_vocabulary

    refuse_existing(Path(out), force)
    other = load_vocabulary(source)
    type = type_like(other, type)
    text, shares = _read(corpus, temperature)
    return _written(train_like(other, text.lines, size, type).tokenizer, type, shares, Path(out), force)


def _read(corpus: Paths, temperature: float | None) -> tuple[Corpus, dict[str, float]]:
    if temperature is None:
        return load_corpus(list(corpus)), {}
    names = [str(path) for path in corpus]
    if len(names) < 2 or len(set(names)) < len(names):
        hint = "Give --corpus two times or more, once for each corpus"
        raise LexigraftError("a sampling temperature needs several corpora", ", ".join(names), hint)
    text, shares = mixed([load_corpus([path]) for path in names], temperature)
    return text, dict(zip(names, shares, strict=True))


def _written(tokenizer: Any, type: str, shares: dict[str, float], out: Path, force: bool) -> TokenizerResult:
    with whole_folder(out, force) as folder:
        save_tokenizer(tokenizer, folder)
    return TokenizerResult(type, len(tokenizer), shares, out)
