"""A BPE vocabulary with new tokens and the merges that make them, behind its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence

from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.editing.appending import Merge, with_appended
from lexigraft.core.tokenization.vocabulary import Vocabulary

Choice = tuple[list[str], list[Merge]]
"""New tokens in order, and the merges that make them."""

_LOG = logging.getLogger("lexigraft")


def extended_by(
    vocabulary: Vocabulary, number: int, lines: Sequence[str], choose: Callable[[Collection[str]], Choice]
) -> Vocabulary:
    """The vocabulary with the tokens that are chosen, each of which its own spelling gives.

    Args:
        vocabulary: The source's vocabulary.
        number: How many tokens were asked for; a warning says where there are fewer.
        lines: The text that they were learned from.
        choose: Gives tokens and merges without those that are barred.

    Returns:
        The larger vocabulary; its new tokens have the ids from ``vocabulary.size`` on.

    Raises:
        LexigraftError: There is no token to add, or an added token cannot keep its id.
    """
    unreachable: set[str] = set()
    while True:
        tokens, merges = choose(unreachable)
        if not tokens:
            raise LexigraftError(
                "the text yields no token to add", f"{len(lines):,} lines", "No pair of tokens occurs twice; give more"
            )
        extended = with_appended(vocabulary, tokens, merges)
        found = {token for token in tokens if not _is_reachable(extended, token)}
        if not found:
            break
        unreachable |= found
    if len(tokens) < number:
        _LOG.warning("the text yields %d tokens, %d were asked for", len(tokens), number)
    return extended


def _is_reachable(vocabulary: Vocabulary, token: str) -> bool:
    """Whether the model makes one token of its spelling; inside a word that goes on, where ends are marked."""
    model = vocabulary.tokenizer.backend_tokenizer.model
    suffix = getattr(model, "end_of_word_suffix", None) or ""
    if not suffix:
        return [t.value for t in model.tokenize(token)] == [token]
    if token.endswith(suffix):
        return [t.value for t in model.tokenize(token.removesuffix(suffix))] == [token]
    return any(model.tokenize(token + follower)[0].value == token for follower in ".,!-;x0")
