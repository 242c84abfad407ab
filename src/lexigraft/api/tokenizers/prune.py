"""A tokenizer without the tokens that a corpus needs least."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lexigraft.core.data.corpus import load_corpus
from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.files.saving import save_tokenizer
from lexigraft.core.tokenization.token_counts import token_counts
from lexigraft.core.utils.files import refuse_existing, whole_folder

Paths = Sequence[str | Path]


@dataclass(frozen=True)
class PrunedTokenizer:
    """A tokenizer with fewer tokens.

    Attributes:
        tokens: How many tokens it has.
        dropped: How many are gone.
        corpus_tokens_before: Tokens of the corpus with the source.
        corpus_tokens: Tokens of the corpus now.
        out: The folder that was written.
    """

    tokens: int
    dropped: int
    corpus_tokens_before: int
    corpus_tokens: int
    out: Path

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "out": str(self.out)}


def prune_tokenizer(
    source: str | Path,
    corpus: Paths,
    out: str | Path,
    *,
    keep: int | None = None,
    drop_unused: bool = False,
    force: bool = False,
) -> PrunedTokenizer:
    """Drop the tokens that a corpus needs least, and write the tokenizer.

    Args:
        source: The tokenizer: a folder, a tokenizer file or a Hub name.
        corpus: Files of text in every language that is to stay.
        out: The folder to write.
        keep: How many tokens stay.
        drop_unused: Whether all tokens that the corpus does not use go, instead of a number of them.
        force: Whether an existing folder is replaced.

    Returns:
        How many tokens are gone, and what that costs.

    Raises:
        LexigraftError: Anything wrong with the inputs.
    """
    from lexigraft.core.tokenization.editing.pruning import prune
    from lexigraft.core.tokenization.files.loading import load_vocabulary

    if (keep is None) is not drop_unused:
        given = "neither" if keep is None else "both"
        raise LexigraftError("pruning takes either --keep or --drop-unused", given, "Give one of them")
    refuse_existing(Path(out), force)
    lines = load_corpus(list(corpus)).lines
    before = load_vocabulary(source)
    after = prune(before, lines, keep)
    with whole_folder(Path(out), force) as folder:
        save_tokenizer(after.tokenizer, folder)
    return PrunedTokenizer(
        tokens=after.size,
        dropped=sum(map(bool, before.tokens)) - after.size,
        corpus_tokens_before=int(token_counts(before, lines).sum()),
        corpus_tokens=int(token_counts(after, lines).sum()),
        out=Path(out),
    )
