"""Token vectors made from word vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.resources import StaticVectors, WordSpace, WordVectors
from lexigraft.core.grafting.strategy import Journal
from lexigraft.core.tokenization.surface import Kind
from lexigraft.core.tokenization.vocabulary import Vocabulary

Means = Literal["ngrams", "words", "auto"]
Form = Callable[[str], str]
Weights = npt.NDArray[np.float64]

BATCH = 65536
COLUMNS = 32
AS_THEY_ARE: tuple[Form, ...] = (lambda word: word, lambda word: f" {word}")
CAPITALISED_TOO: tuple[Form, ...] = (
    *AS_THEY_ARE,
    lambda word: word[:1].upper() + word[1:],
    lambda word: f" {word[:1].upper()}{word[1:]}",
)


def frequencies(space: WordSpace) -> Weights:
    """How often each word occurs, ``(words,)``; by Zipf's law, one over its rank, where the file has no counts."""
    return ranks(space) if space.counts is None else space.counts.astype(np.float64)


def ranks(space: WordSpace) -> Weights:
    """One over each word's rank by frequency, ``(words,)``."""
    return 1.0 / np.arange(1, len(space.words) + 1)


def equal_weights(space: WordSpace) -> Weights:
    """The same weight for every word, ``(words,)``."""
    return np.ones(len(space.words))


def both_vocabularies(
    source: Vocabulary, target: Vocabulary, words: WordVectors, means: Means, journal: Journal
) -> tuple[StaticVectors, StaticVectors]:
    """WECHSEL's vectors of the tokens of both vocabularies, each in its language's space.

    Args:
        source: The source vocabulary.
        target: The target vocabulary.
        words: Word vectors of both languages.
        means: From character ``ngrams``, from ``words``, or ``auto``: n-grams where both languages' vectors have them.
        journal: Gets a note on which of the two ``auto`` took.

    Returns:
        Vectors of the source tokens and of the target tokens.

    Raises:
        LexigraftError: N-grams are asked for and a language's vectors have none.
    """
    spelling = words.source.spell is not None and words.target.spell is not None
    if means == "ngrams" and not spelling:
        lacking = "source" if words.source.spell is None else "target"
        raise LexigraftError(
            "word vectors cannot spell tokens from character n-grams",
            f"{lacking} vectors",
            "Give fastText .bin files of both languages, or average over words",
        )
    by_ngrams = means != "words" and spelling
    if means == "auto":
        journal.note(
            f"Token vectors come from {'character n-grams' if by_ngrams else 'the words that hold the token'}."
        )
    if by_ngrams:
        return spelled(source, words.source), spelled(target, words.target)
    sides = ((source, words.source), (target, words.target))
    one, two = (from_words(v, s, frequencies(s)) for v, s in sides)
    return one, two


def spelled(vocabulary: Vocabulary, space: WordSpace) -> StaticVectors:
    """The vector of each token's own text, from its character n-grams.

    Special tokens, byte pieces, fragments of characters and tokens with unknown n-grams are absent.
    Source: WECHSEL (Minixhofer et al. 2022), section 3.

    Args:
        vocabulary: The vocabulary.
        space: Word vectors with character n-grams.

    Returns:
        Vectors ``(size, dim)``.
    """
    assert space.spell is not None
    token_vectors = np.zeros((vocabulary.size, space.vectors.shape[1]), np.float32)
    ids = np.flatnonzero(vocabulary.surfaces.kinds == Kind.TEXT)
    texts = [_text(vocabulary.surfaces.texts[i]) for i in ids.tolist()]
    ids = ids[[bool(text) for text in texts]]
    token_vectors[ids] = space.spell([text for text in texts if text])
    return _static(token_vectors, "ngrams")


def from_words(
    vocabulary: Vocabulary,
    space: WordSpace,
    weights: Weights,
    *,
    forms: Sequence[Form] = AS_THEY_ARE,
    once: bool = False,
) -> StaticVectors:
    """Weighted mean of the vectors of all words that contain a token: ``v_t = sum_w n_tw f_w v_w / sum_w n_tw f_w``.

    ``n_tw`` is the number of forms of the word (at the start of a text, after a space, …) whose tokens include t.
    Special tokens and tokens that no word contains are absent.
    Source: WECHSEL (Minixhofer et al. 2022), section 3; OFA (Liu et al. 2024), section 3.

    Args:
        vocabulary: The vocabulary.
        space: Word vectors.
        weights: ``f``, not negative, ``(words,)``.
        forms: How a word is written when it is split into tokens.
        once: Count a word once however many of its forms contain the token.

    Returns:
        Vectors ``(size, dim)``.
    """
    held = _occurrences(vocabulary, space.words, forms)
    if once:
        held.data[:] = 1.0
    held.data *= weights[held.indices]
    totals = np.asarray(held.sum(axis=1)).ravel()
    held.data /= np.repeat(np.where(totals > 0, totals, 1.0), np.diff(held.indptr))
    vectors = space.vectors.numpy()
    token_vectors = np.zeros((vocabulary.size, vectors.shape[1]), np.float32)
    for start in range(0, vectors.shape[1], COLUMNS):
        columns = slice(start, start + COLUMNS)
        token_vectors[:, columns] = held @ vectors[:, columns].astype(np.float64)
    token_vectors[~vocabulary.surfaces.is_text] = 0
    return _static(token_vectors, "words")


def _occurrences(vocabulary: Vocabulary, words: Sequence[str], forms: Sequence[Form]) -> Any:
    """In how many of a word's forms each token occurs: a float64 CSR matrix, ``(size, words)``."""
    from scipy.sparse import csr_matrix

    keys = [np.zeros(0, np.int64)]
    for form in forms:
        for start in range(0, len(words), BATCH):
            ids = vocabulary.encode([form(word) for word in words[start : start + BATCH]])
            lengths = np.fromiter(map(len, ids), np.int64, len(ids))
            tokens = np.fromiter(chain.from_iterable(ids), np.int64, int(lengths.sum()))
            keys.append(np.unique(tokens * len(words) + np.repeat(np.arange(start, start + len(ids)), lengths)))
    pairs, counts = np.unique(np.concatenate(keys), return_counts=True)
    tokens, holders = np.divmod(pairs, max(len(words), 1))
    return csr_matrix((counts.astype(np.float64), (tokens, holders)), shape=(vocabulary.size, len(words)))


def _text(data: bytes) -> str:
    try:
        return data.decode().strip()
    except UnicodeDecodeError:
        return ""


def _static(vectors: npt.NDArray[np.float32], means: str) -> StaticVectors:
    import torch

    return StaticVectors(torch.from_numpy(vectors), np.abs(vectors).sum(axis=1) > 0, {"means": means})
