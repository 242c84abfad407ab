"""Appended BPE tokens: those of a tokenizer trained from scratch, each with a merge that the source can reach."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

from lexigraft.core.tokenization.editing.appending import Merge, refuse_none
from lexigraft.core.tokenization.editing.bpe_check import refuse_other_than_bpe
from lexigraft.core.tokenization.editing.bpe_extension import Choice, extended_by
from lexigraft.core.tokenization.editing.rebuilding import description_of, merges_of
from lexigraft.core.tokenization.editing.token_sequences import count_runs, fallback_characters
from lexigraft.core.tokenization.editing.training_like import learned_tokens
from lexigraft.core.tokenization.vocabulary import Vocabulary

SPARE = 4
"""Tokens that are learned for each that is asked for: the source has some, and others are out of its reach."""


def append_bpe(vocabulary: Vocabulary, lines: Sequence[str], number: int) -> Vocabulary:
    """Add the tokens of a BPE trained from scratch on a text, most useful first.

    A token that the source cuts in two gets a merge of these, behind all others, so no text gets longer and its own
    spelling gives it; one that is cut in more waits until the tokens before it have made them two. Those that never
    come to be two are left out: the merges by which they were learned are never reached behind the source's own.

    Args:
        vocabulary: The source's vocabulary.
        lines: Text to learn from.
        number: How many tokens to add at most; a warning says where the text yields fewer.

    Returns:
        The larger vocabulary; its new tokens have the ids from ``vocabulary.size`` on.

    Raises:
        LexigraftError: No BPE is trained like this one, the number is not positive, or the text yields no token.
    """
    refuse_other_than_bpe(vocabulary)
    refuse_none(number)
    characters = fallback_characters(vocabulary, count_runs(vocabulary, lines), sum(map(len, lines)), number)
    fixed = len(vocabulary.special_ids) + 256 + len(set().union(*lines))
    candidates = [t for t in learned_tokens(vocabulary, lines, fixed + SPARE * number) if len(t) > 1]
    return extended_by(
        vocabulary, number, lines, lambda barred: _chosen(vocabulary, characters, candidates, number, barred)
    )


def _chosen(
    vocabulary: Vocabulary, characters: Sequence[str], candidates: Sequence[str], number: int, barred: Collection[str]
) -> Choice:
    known = {token for token in vocabulary.tokens if token}
    tokens = [c for c in characters if c not in barred]
    merges: list[Merge] = []
    waiting = [t for t in candidates if t not in known and t not in barred]
    while len(tokens) < number:
        cuts = _cuts(vocabulary, tokens, merges, waiting)
        found = {token: (cut[0], cut[1]) for token, cut in cuts.items() if len(cut) == 2}
        for token in list(found)[: number - len(tokens)]:
            tokens.append(token)
            merges.append(found[token])
        waiting = [t for t in waiting if t not in found]
        if not found:
            break
    return tokens, merges


def _cuts(
    vocabulary: Vocabulary, tokens: Sequence[str], merges: Sequence[Merge], waiting: Sequence[str]
) -> dict[str, list[str]]:
    """The pieces of each candidate, with the tokens and merges that were chosen so far."""
    from tokenizers import Tokenizer

    described = description_of(vocabulary)
    described["model"]["vocab"] |= {token: vocabulary.size + n for n, token in enumerate(tokens)}
    described["model"]["merges"] = [list(pair) for pair in [*merges_of(described), *merges]]
    described["added_tokens"] = []
    described["post_processor"] = None
    model = Tokenizer.from_str(json.dumps(described)).model
    return {token: [piece.value for piece in model.tokenize(token)] for token in waiting}
