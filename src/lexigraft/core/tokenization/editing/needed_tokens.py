"""Tokens that a vocabulary cannot do without: bytes, special and added tokens, and the characters of a text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lexigraft.core.tokenization.surface import SPACE_MARK, Family, Kind, component
from lexigraft.core.tokenization.unknown_tokens import unknown_ids
from lexigraft.core.tokenization.vocabulary import Vocabulary

_BYTE_LEVEL = (Family.BYTE_LEVEL, Family.BYTE_LEVEL_SUFFIX)


def needed_tokens(vocabulary: Vocabulary, lines: Sequence[str], counts: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """The tokens that pruning leaves alone.

    Where nothing spells a character but longer tokens, those that the text takes are needed. The piece of Unigram with
    the lowest score is, because the cost of unknown characters is reckoned from it.

    Args:
        vocabulary: The vocabulary.
        lines: Text whose characters must stay known.
        counts: How often the text takes each token, shape ``(size,)``.

    Returns:
        Whether each token is needed, shape ``(size,)``.
    """
    needed = np.zeros(vocabulary.size, np.bool_)
    fixed = {*vocabulary.special_ids, *unknown_ids(vocabulary), *vocabulary.byte_tokens.values()}
    needed[[*fixed, *vocabulary.tokenizer.added_tokens_decoder]] = True
    needed |= vocabulary.surfaces.kinds == Kind.BYTE
    characters = _characters(vocabulary, lines)
    bodies = _bodies(vocabulary)
    single = [len(body) == 1 and (vocabulary.family in _BYTE_LEVEL or body in characters) for body in bodies]
    needed |= np.array(single, np.bool_)
    if vocabulary.family not in _BYTE_LEVEL and not vocabulary.byte_complete:
        uncovered = characters - _covered(vocabulary)
        needed |= np.array([not uncovered.isdisjoint(body) for body in bodies], np.bool_) & (counts > 0)
    lowest = _lowest_piece(vocabulary)
    if lowest is not None:
        needed[lowest] = True
    return needed


def _characters(vocabulary: Vocabulary, lines: Sequence[str]) -> set[str]:
    normalizer = vocabulary.tokenizer.backend_tokenizer.normalizer
    found = {SPACE_MARK}
    for line in lines:
        found.update(normalizer.normalize_str(line) if normalizer is not None else line)
    return found


def _bodies(vocabulary: Vocabulary) -> list[str]:
    """Token strings without the marks of a word's end or continuation."""
    model = vocabulary.tokenizer.backend_tokenizer.model
    suffix = getattr(model, "end_of_word_suffix", None) or ""
    prefix = getattr(model, "continuing_subword_prefix", None) or ""
    return [token.removeprefix(prefix).removesuffix(suffix) or token for token in vocabulary.tokens]


def _covered(vocabulary: Vocabulary) -> set[str]:
    """Characters that are tokens wherever they stand in a word."""
    model = vocabulary.tokenizer.backend_tokenizer.model
    forms = ["{}"]
    if suffix := getattr(model, "end_of_word_suffix", None):
        forms.append("{}" + suffix)
    if prefix := getattr(model, "continuing_subword_prefix", None):
        forms.append(prefix + "{}")
    singles = {token for token in vocabulary.tokens if len(token) == 1}
    return {c for c in singles if all(vocabulary.id_of(form.format(c)) is not None for form in forms)}


def _lowest_piece(vocabulary: Vocabulary) -> int | None:
    model = vocabulary.tokenizer.backend_tokenizer.model
    if type(model).__name__ != "Unigram":
        return None
    scores = [score for _, score in component(model)["vocab"]]
    return int(np.argmin(scores))
