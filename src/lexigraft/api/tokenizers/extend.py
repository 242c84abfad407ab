"""A tokenizer extended by tokens for a corpus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lexigraft.core.data.corpus import load_corpus
from lexigraft.core.tokenization.files.saving import save_tokenizer
from lexigraft.core.tokenization.measures.segmentation_change import changed_share
from lexigraft.core.tokenization.token_counts import token_counts
from lexigraft.core.utils.files import refuse_existing, whole_folder

Paths = Sequence[str | Path]


@dataclass(frozen=True)
class ExtendedTokenizer:
    """A tokenizer with new tokens behind the old ones, or in the place of some.

    Attributes:
        method: How the new tokens were chosen.
        tokens: How many tokens it has.
        added: How many of them are new.
        removed: How many went for them (``exchange``).
        produced: How many of the new ones the corpus takes; the others are only parts of them there.
        corpus_tokens_before: Tokens of the corpus with the source.
        corpus_tokens: Tokens of the corpus now.
        source_text_changed: Share of the source text's tokens that are cut otherwise now; ``None`` without such text.
        out: The folder that was written.
    """

    method: str
    tokens: int
    added: int
    removed: int
    produced: int
    corpus_tokens_before: int
    corpus_tokens: int
    source_text_changed: float | None
    out: Path

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "out": str(self.out)}


def extend_tokenizer(
    source: str | Path,
    corpus: Paths,
    out: str | Path,
    *,
    add: int,
    method: str | None = None,
    source_text: Paths = (),
    force: bool = False,
) -> ExtendedTokenizer:
    """Add tokens to a tokenizer and write it; the old tokens that stay keep their ids.

    Args:
        source: The tokenizer: a folder, a tokenizer file or a Hub name.
        corpus: Files of text to learn the new tokens from.
        out: The folder to write.
        add: How many tokens at most.
        method: How they are chosen: ``continued_bpe``, ``append``, ``exchange`` or ``unigram_em``; ``None`` takes
            ``unigram_em`` for Unigram, ``append`` for WordPiece and ``continued_bpe`` for others.
        source_text: Files of text that the source is good at, to see how much of it is cut otherwise afterwards; its
            tokens count as used where others are exchanged, and WordPiece makes no word of it longer.
        force: Whether an existing folder is replaced.

    Returns:
        What was added and what it changes.

    Raises:
        LexigraftError: Anything wrong with the inputs.
    """
    from lexigraft.core.tokenization.editing.extension import extend, method_for
    from lexigraft.core.tokenization.files.loading import load_vocabulary

    refuse_existing(Path(out), force)
    text = load_corpus(list(corpus))
    familiar = load_corpus(list(source_text)).lines if source_text else []
    before = load_vocabulary(source)
    method = method_for(before, method)
    after = extend(before, text.lines, add, method, familiar)
    known = set(before.tokens)
    new = np.array([token not in known for token in after.tokens])
    counts = token_counts(after, text.lines)
    with whole_folder(Path(out), force) as folder:
        save_tokenizer(after.tokenizer, folder)
    return ExtendedTokenizer(
        method=method,
        tokens=after.size,
        added=int(new.sum()),
        removed=int(new.sum()) - (after.size - before.size),
        produced=int(np.count_nonzero(counts[new])),
        corpus_tokens_before=int(token_counts(before, text.lines).sum()),
        corpus_tokens=int(counts.sum()),
        source_text_changed=changed_share(before, after, familiar) if familiar else None,
        out=Path(out),
    )
