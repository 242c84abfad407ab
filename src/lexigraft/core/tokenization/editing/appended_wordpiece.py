"""WordPiece vocabularies extended: tokens of a WordPiece trained from scratch, where they make no word longer."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.editing.appending import refuse_none, with_appended
from lexigraft.core.tokenization.editing.token_sequences import covering
from lexigraft.core.tokenization.editing.training_like import PREFIX, learned_tokens
from lexigraft.core.tokenization.surface import component
from lexigraft.core.tokenization.vocabulary import Vocabulary

SPARE = 4
"""Tokens that are learned for each that is asked for: the source has some, and longer ones leave others unused."""

_LOG = logging.getLogger("lexigraft")


def append_wordpiece(
    vocabulary: Vocabulary, lines: Sequence[str], number: int, familiar: Sequence[str] = ()
) -> Vocabulary:
    """Add the tokens of a WordPiece trained from scratch on a text, in the order in which they are learned.

    The longest match may end inside an old token of the source's cut, and what is left of that may take several tokens.
    Where every rest of every ``##`` token in that cut is a token too, it takes one, which the new token has saved: such
    a word gets no longer, whatever is added (greedy parsing with a suffix-closed dictionary: Cohn and Khazan 1996).
    Other words are tried: the first new token of a word of the texts that gets longer or unknown is left out.

    A token that the text does not take is left out as well. Frequent characters that the source lacks come first; words
    that have them were one unknown token, and may take more now.

    Args:
        vocabulary: The source's vocabulary.
        lines: Text to learn from.
        number: How many tokens to add at most; a warning says where the text yields fewer.
        familiar: Further text whose words are tried.

    Returns:
        The larger vocabulary; its new tokens have the ids from ``vocabulary.size`` on.

    Raises:
        LexigraftError: No WordPiece is trained like this one, the number is not positive, or the text yields no token.
    """
    refuse_none(number)
    words = _words(vocabulary, lines)
    characters: Counter[str] = Counter()
    for word, count in words.items():
        for character in word:
            characters[character] += count
    learned = learned_tokens(vocabulary, lines, len(vocabulary.special_ids) + 2 * len(characters) + SPARE * number)
    frequent = frozenset(covering(characters, characters.total()))
    new = [t for t in learned if vocabulary.id_of(t) is None and (len(_body(t)) > 1 or _body(t) in frequent)]
    tokens = _chosen(vocabulary, new, number, words, {**words, **_words(vocabulary, familiar)})
    if not tokens:
        raise LexigraftError("the text yields no token to add", f"{len(lines):,} lines", "Give more text")
    if len(tokens) < number:
        _LOG.warning("the text yields %d tokens, %d were asked for", len(tokens), number)
    return with_appended(vocabulary, tokens)


def _words(vocabulary: Vocabulary, lines: Sequence[str]) -> Counter[str]:
    """How often each word occurs that the pre-tokenizer makes."""
    backend = vocabulary.tokenizer.backend_tokenizer
    normalizer, splitter = backend.normalizer, backend.pre_tokenizer
    words: Counter[str] = Counter()
    for line in lines:
        text = normalizer.normalize_str(line) if normalizer is not None else line
        words.update([w for w, _ in splitter.pre_tokenize_str(text)] if splitter is not None else [text])
    return words


def _body(token: str) -> str:
    return token.removeprefix(PREFIX) or token


def _chosen(
    vocabulary: Vocabulary, waiting: Sequence[str], number: int, taking: Collection[str], trying: Collection[str]
) -> list[str]:
    """The first new tokens that the words take, characters apart, and that make no word longer or unknown."""
    described = component(vocabulary.tokenizer.backend_tokenizer.model)
    known = described["vocab"]
    unknown = described["unk_token"]
    before = _cuts(described, known, trying)
    chosen: list[str] = []
    while True:
        spare = number - len(chosen)
        chosen, waiting = [*chosen, *waiting[:spare]], waiting[spare:]
        tokens = known | {token: vocabulary.size + n for n, token in enumerate(chosen)}
        after = _cuts(described, tokens, trying)
        taken = {token for word in taking for token in after[word]}
        out = {token for token in chosen if token not in taken and len(_body(token)) > 1}
        for word, old in before.items():
            new = after[word]
            if old != [unknown] and (len(new) > len(old) or new == [unknown]):
                out.add(_first_new(word, tokens, known))
        if not out:
            return chosen
        chosen = [token for token in chosen if token not in out]


def _cuts(described: Mapping[str, Any], tokens: dict[str, int], words: Collection[str]) -> dict[str, list[str]]:
    from tokenizers import models

    options = {key: described[key] for key in ("unk_token", "max_input_chars_per_word", "continuing_subword_prefix")}
    model = models.WordPiece(tokens, **options)
    return {word: [piece.value for piece in model.tokenize(word)] for word in words}


def _first_new(word: str, tokens: Mapping[str, int], known: Mapping[str, int]) -> str:
    """The first token of the longest matches in a word that is not known."""
    start = 0
    while True:
        prefix = PREFIX if start else ""
        found = (prefix + word[start:end] for end in range(len(word), start, -1))
        token = next(token for token in found if token in tokens)
        if token not in known:
            return token
        start += len(token) - len(prefix)
