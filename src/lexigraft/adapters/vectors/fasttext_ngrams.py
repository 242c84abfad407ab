"""Character n-grams of words, hashed as fastText hashes them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

FNV_OFFSET, FNV_PRIME = 2166136261, np.uint32(16777619)


def ngram_hashes(
    words: Sequence[bytes], shortest: int, longest: int
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
    """The hash of every character n-gram of words whose edges are marked ``<`` and ``>``.

    A mark alone is no n-gram; an n-gram that occurs twice in a word is there twice. The hash is FNV-1a over bytes with
    a sign (32 bits); a character is a UTF-8 lead byte and the continuation bytes after it.
    Source: Bojanowski et al. 2017, section 3.2; fastText's ``Dictionary::computeSubwords`` and ``Dictionary::hash``.

    Args:
        words: UTF-8; bytes that are none count as fastText counts them.
        shortest: Characters of the shortest n-grams.
        longest: Characters of the longest ones; 0 for none.

    Returns:
        The hashes and the word that each belongs to, ``(ngrams,)``, in no particular order.
    """
    hashes, owners = [np.zeros(0, np.uint32)], [np.zeros(0, np.int64)]
    marked = np.frombuffer(b"<" + b"><".join(words) + b">" if words else b"", np.uint8)
    lengths = np.fromiter(map(len, words), np.int64, len(words)) + 2
    # What follows the last word ends its last character, as the mark of a next word would.
    leads = np.append((marked & 0xC0) != 0x80, True)
    at = np.flatnonzero(leads[:-1])
    owner = np.repeat(np.arange(len(words)), lengths)[at]
    ends = np.cumsum(lengths)
    marks = at == (ends - lengths)[owner]
    end = ends[owner]
    value = np.full(len(at), FNV_OFFSET, np.uint32)
    size = np.zeros(len(at), np.int64)
    signed = marked.view(np.int8)
    while longest >= max(shortest, 1) and len(at):
        value = (value ^ signed[at].astype(np.uint32)) * FNV_PRIME
        at = at + 1
        whole = leads[at]
        size += whole
        last = at == end
        found = whole & (size >= shortest) & ~((size == 1) & (marks | last))
        hashes.append(value[found])
        owners.append(owner[found])
        goes_on = ~last & ~(whole & (size == longest))
        at, end, owner, marks, value, size = (part[goes_on] for part in (at, end, owner, marks, value, size))
    return np.concatenate(hashes), np.concatenate(owners)
