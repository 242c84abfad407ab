"""Training of a target tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lexigraft.core.config.recipe import TokenizerSettings
from lexigraft.core.data.corpus import load_corpus
from lexigraft.core.tokenization.files.saving import save_tokenizer
from lexigraft.core.utils.files import refuse_existing, whole_folder

Paths = Sequence[str | Path]


@dataclass(frozen=True)
class TokenizerResult:
    """A trained tokenizer.

    Attributes:
        type: Its type: ``unigram``, ``bpe``, ``byte_bpe`` or ``wordpiece``.
        tokens: How many tokens it has.
        out: The folder that was written.
    """

    type: str
    tokens: int
    out: Path

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "out": str(self.out)}


def make_tokenizer(
    corpus: Paths, out: str | Path, settings: TokenizerSettings, *, force: bool = False
) -> TokenizerResult:
    """Train a target tokenizer and write it.

    Args:
        corpus: Files of target text.
        out: The folder to write.
        settings: Type and size.
        force: Whether an existing folder is replaced.

    Returns:
        Type, number of tokens, and where the folder is.

    Raises:
        LexigraftError: Anything wrong with the inputs.
    """
    from lexigraft.core.tokenization.training import train_tokenizer

    refuse_existing(Path(out), force)
    tokenizer = train_tokenizer(settings, load_corpus(list(corpus)))
    with whole_folder(Path(out), force) as folder:
        save_tokenizer(tokenizer, folder)
    return TokenizerResult(settings.type, len(tokenizer), Path(out))
