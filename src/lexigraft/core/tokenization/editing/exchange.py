"""Exchange of tokens: the least useful ones of a vocabulary go, and new ones of a text take their ids."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from itertools import islice

from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.bpe_merges import Pair, merges
from lexigraft.core.tokenization.editing.continued_bpe import continue_bpe
from lexigraft.core.tokenization.editing.extended_unigram import extend_by_em
from lexigraft.core.tokenization.editing.needed_tokens import needed_tokens
from lexigraft.core.tokenization.editing.pruning import Counts, in_dropping_order
from lexigraft.core.tokenization.editing.rebuilding import description_of, merges_of, with_description
from lexigraft.core.tokenization.token_counts import token_counts
from lexigraft.core.tokenization.vocabulary import Vocabulary

_LOG = logging.getLogger("lexigraft")


def exchange(vocabulary: Vocabulary, lines: Sequence[str], number: int, familiar: Sequence[str] = ()) -> Vocabulary:
    """Exchange tokens of a vocabulary for those that continued training finds in a text; its size stays.

    Out go the least frequent tokens, of BPE leaves, that no merge goes on from, as long as the new token that comes for
    each is used more often. Text that had none of them gets no longer; what is spelled by one falls into other tokens,
    of BPE into its two parts.

    Args:
        vocabulary: The source's vocabulary.
        lines: Text to learn from.
        number: How many tokens to exchange at most; a warning says where fewer gain anything.
        familiar: Further text whose tokens count as used.

    Returns:
        The vocabulary with new tokens under the ids of those that went.

    Raises:
        LexigraftError: The tokenizer is neither BPE nor Unigram, the number is not positive, or nothing is gained.
    """
    kind = type(vocabulary.tokenizer.backend_tokenizer.model).__name__
    grow = extend_by_em if kind == "Unigram" else continue_bpe
    extended = grow(vocabulary, lines, number)
    gained, dropped = _worthwhile(vocabulary, extended, lines, familiar, kind)
    if not gained:
        raise LexigraftError("no exchange of tokens gains anything", f"{number} asked for", "Extend the vocabulary")
    if gained < extended.size - vocabulary.size:
        _LOG.warning("%d exchanges gain something, %d were asked for", gained, number)
        extended = grow(vocabulary, lines, gained)
        _, dropped = _worthwhile(vocabulary, extended, lines, familiar, kind)
    made = _exchanged_pieces if kind == "Unigram" else _exchanged_merges
    return made(vocabulary, extended, sorted(dropped))


def _worthwhile(
    vocabulary: Vocabulary, extended: Vocabulary, lines: Sequence[str], familiar: Sequence[str], kind: str
) -> tuple[int, list[int]]:
    """How many exchanges gain something, and as many tokens to drop as are new."""
    counts = token_counts(extended, lines) + token_counts(extended, familiar)
    needed = needed_tokens(extended, [*lines, *familiar], counts)
    needed[vocabulary.size :] = True
    out = list(islice(in_dropping_order(extended, counts, needed, kind), extended.size - vocabulary.size))
    new = sorted(_uses(vocabulary, {} if kind == "Unigram" else merges(extended), counts), reverse=True)
    pays = [use > cost for use, (cost, _) in zip(new, out, strict=False)]
    return (pays.index(False) if False in pays else len(pays)), [leaf for _, leaf in out]


def _uses(vocabulary: Vocabulary, pairs: Mapping[int, list[Pair]], counts: Counts) -> list[int]:
    """How often each new token is merged: as it stands, or on the way to a longer one."""
    uses = counts.tolist()
    for merged in sorted(pairs, reverse=True):
        if merged >= vocabulary.size:
            for part in pairs[merged][0]:
                uses[part] += uses[merged]
    return uses[vocabulary.size :]


def _exchanged_pieces(vocabulary: Vocabulary, extended: Vocabulary, dropped: Sequence[int]) -> Vocabulary:
    described = description_of(extended)
    pieces = described["model"]["vocab"]
    kept = pieces[: vocabulary.size]
    for i, piece in zip(dropped, pieces[vocabulary.size :], strict=True):
        kept[i] = piece
    described["model"]["vocab"] = kept
    return with_description(extended, described)


def _exchanged_merges(vocabulary: Vocabulary, extended: Vocabulary, dropped: Sequence[int]) -> Vocabulary:
    new = extended.tokens[vocabulary.size :]
    gone = {vocabulary.tokens[i] for i in dropped}
    described = description_of(extended)
    model = described["model"]
    model["vocab"] = {token: i for token, i in model["vocab"].items() if i < vocabulary.size and token not in gone}
    model["vocab"] |= dict(zip(new, dropped, strict=True))
    model["merges"] = [
        [left, right] for left, right in merges_of(described) if gone.isdisjoint((left, right, left + right))
    ]
    return with_description(extended, described)
