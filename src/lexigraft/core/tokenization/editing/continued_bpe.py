"""Continued BPE training: the learning of merges goes on where the source's merges end (arXiv 2509.26124)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from lexigraft.core.tokenization.editing.appending import Merge, refuse_none
from lexigraft.core.tokenization.editing.bpe_check import refuse_other_than_bpe
from lexigraft.core.tokenization.editing.bpe_extension import Choice, extended_by
from lexigraft.core.tokenization.editing.rebuilding import description_of, merges_of
from lexigraft.core.tokenization.editing.token_sequences import Run, TokenSequences, count_runs, fallback_characters
from lexigraft.core.tokenization.training import learn_merges
from lexigraft.core.tokenization.vocabulary import Vocabulary

SPARE = 64
"""Merges that are learned beyond those asked for, with a quarter of these: some give a token that exists."""


def continue_bpe(vocabulary: Vocabulary, lines: Sequence[str], number: int) -> Vocabulary:
    """Add tokens to a BPE vocabulary.

    New merges rank behind all of the source's, so they only join what it leaves apart: no text gets longer. A token
    that its own spelling does not give is not added, nor is one that needs it. Where bytes spell what has no token,
    frequent characters become tokens first. Old tokens keep their ids.

    Args:
        vocabulary: The source's vocabulary.
        lines: Text to learn from.
        number: How many tokens to add at most; a warning says where the text yields fewer.

    Returns:
        The larger vocabulary; its new tokens have the ids from ``vocabulary.size`` on.

    Raises:
        LexigraftError: The tokenizer is no BPE, the number is not positive, or the text yields no token.
    """
    refuse_other_than_bpe(vocabulary)
    refuse_none(number)
    runs = count_runs(vocabulary, lines)
    characters = fallback_characters(vocabulary, runs, sum(map(len, lines)), number)
    learned = _learned(TokenSequences(vocabulary, characters), runs, number)
    return extended_by(
        vocabulary, number, lines, lambda barred: _chosen(vocabulary, characters, learned, number, barred)
    )


def _learned(sequences: TokenSequences, runs: Mapping[Run, int], number: int) -> list[Merge]:
    from tokenizers import pre_tokenizers

    words = list(sequences.words(runs))
    alphabet = sorted(set().union(*words) - {" "})
    if not alphabet:
        return []
    size = len(alphabet) + number + number // 4 + SPARE
    _, merges = learn_merges(words, size, pre_tokenizers.WhitespaceSplit(), alphabet=alphabet)
    return [(sequences.string_of(left), sequences.string_of(right)) for left, right in merges]


def _chosen(
    vocabulary: Vocabulary, characters: Sequence[str], learned: Sequence[Merge], number: int, barred: Collection[str]
) -> Choice:
    """The first tokens that can be added, with the merges that make them."""
    added = {token.content for token in vocabulary.tokenizer.added_tokens_decoder.values()}
    known = dict.fromkeys((t for t in vocabulary.tokens if t), True)
    old = set(merges_of(description_of(vocabulary)))
    tokens = [c for c in characters if c not in barred]
    known |= dict.fromkeys(tokens, True)
    merges: list[Merge] = []
    for left, right in learned:
        token = left + right
        if token in barred or token in added or left not in known or right not in known or (left, right) in old:
            continue
        if token not in known:
            if len(tokens) == number:
                break
            tokens.append(token)
            known[token] = True
        old.add((left, right))
        merges.append((left, right))
    return tokens, merges
