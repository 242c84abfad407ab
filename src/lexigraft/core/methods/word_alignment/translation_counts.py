"""Token translation counts for trans-tokenization, from counts of aligned word pairs."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

import numpy as np

from lexigraft.core.grafting.resources import ParallelText
from lexigraft.core.tokenization.matching.alignment import Alignment
from lexigraft.core.tokenization.matching.spelling import spelled, tokens_by_spelling
from lexigraft.core.tokenization.offsets import word_units
from lexigraft.core.tokenization.surface import Kind
from lexigraft.core.tokenization.vocabulary import Vocabulary

Word = tuple[int, ...]
Evidence = dict[int, dict[int, int]]
"""For each target token with evidence: counts of source tokens."""

NUMBERS = (*(str(n) for n in range(9999)), *(f"0{n}" for n in range(99)))
MASS, MASS_OF_WORD_STARTS = 1000, 2000


def word_pairs(source: Vocabulary, target: Vocabulary, text: ParallelText) -> Counter[tuple[Word, Word]]:
    """How often two words, as tokens of their vocabularies, are translations of each other.

    Args:
        source: Splits the source side into tokens.
        target: Splits the target side into tokens.
        text: The sentences and the aligner.

    Returns:
        Counts of ``(source word, target word)``.
    """
    ours, theirs = list(word_units(target, text.target)), list(word_units(source, text.source))
    links = text.align([words.texts for words in theirs], [words.texts for words in ours])
    found: Counter[tuple[Word, Word]] = Counter()
    for left, right, own in zip(theirs, ours, links, strict=True):
        found.update((left.tokens[i], right.tokens[j]) for i, j in own)
    return found


def token_evidence(pairs: Mapping[tuple[Word, Word], int], min_count: int) -> Evidence:
    """Counts of frequent word pairs, divided among the tokens of both words.

    In a pair of words of one token each, the token gets the whole count. Of any other pair half goes to every
    source token for every target token, divided by the number of source tokens; half goes position by position, after
    both words were repeated to their least common multiple. Whole numbers, rounded down, never below 1.

    Source: Remy et al., "Trans-Tokenization and Cross-lingual Vocabulary Transfers", COLM 2024, section 2, as in the
    authors' package.

    Args:
        pairs: Counts of ``(source word, target word)``.
        min_count: Rarer pairs are left out.
    """
    evidence: Evidence = defaultdict(lambda: defaultdict(int))
    for (old, new), count in pairs.items():
        if count < min_count:
            continue
        if len(old) == len(new) == 1:
            evidence[new[0]][old[0]] += count
            continue
        half = max(1, count // 2)
        for i in new:
            for j in old:
                evidence[i][j] += max(1, half // len(old))
        common = math.lcm(len(old), len(new))
        share = max(1, half // (common // len(new)))
        for place in range(common):
            evidence[new[place * len(new) // common]][old[place * len(old) // common]] += share
    return evidence


def add_numbers(evidence: Evidence, source: Vocabulary, target: Vocabulary) -> None:
    """A count of 1 for the first source token of every number (0 to 9998, 00 to 098) that is one target token."""
    by_spelling = tokens_by_spelling(target)
    for number in NUMBERS:
        for starts in (False, True):
            i = by_spelling.get(b" " * starts + number.encode())
            if i is not None and (found := source.pieces(number.encode(), starts)):
                evidence.setdefault(i, {})
                evidence[i][found[0]] = evidence[i].get(found[0], 0) + 1


def add_matches(evidence: Evidence, alignment: Alignment, ids: Iterable[int]) -> None:
    """Count each of some target tokens that has a match once with it."""
    for i in ids:
        if (match := int(alignment.source_ids[i])) >= 0:
            evidence.setdefault(i, {})
            evidence[i][match] = evidence[i].get(match, 0) + 1


def smoothed(evidence: Evidence, source: Vocabulary, target: Vocabulary) -> Evidence:
    """Evidence for tokens without any, from tokens of similar spelling.

    It is the sum over the tokens that begin with it and over the longest known tokens inside it (none part of another),
    each scaled to a sum of 1000; source tokens that start a word count double. Smoothed evidence
    does not count for other tokens, so that the order does not matter.

    Args:
        evidence: Counts from sentences, numbers and matches.
        source: For which source tokens start a word.
        target: For how tokens are spelled.

    Returns:
        The evidence with additions.
    """
    from scipy.sparse import csr_array

    spelled = _texts(target)
    known = {text: i for text, i in spelled.items() if evidence.get(i)}
    open_ids = {text: i for text, i in spelled.items() if not evidence.get(i)}
    if not known or not open_ids:
        return evidence
    place = {text: n for n, text in enumerate(known)}
    support = [[place[text] for text in found] for found in _alike(list(open_ids), known)]
    masses = [_brought_to_mass(evidence[i], source) for i in known.values()]
    lengths = np.cumsum([0, *map(len, support)])
    chosen = csr_array(
        (np.ones(lengths[-1], np.int64), [n for own in support for n in own], lengths), (len(open_ids), len(known))
    )
    bounds = np.cumsum([0, *map(len, masses)])
    ids, counts = ([x for m in masses for x in part(m)] for part in (dict.keys, dict.values))
    total = chosen @ csr_array((np.array(counts, np.int64), ids, bounds), (len(known), source.size))
    total.sum_duplicates()
    added: Evidence = {}
    for n, i in enumerate(open_ids.values()):
        own = slice(total.indptr[n], total.indptr[n + 1])
        if own.start < own.stop:
            added[i] = dict(zip(total.indices[own].tolist(), total.data[own].tolist(), strict=True))
    return {**evidence, **added}


def _texts(target: Vocabulary) -> dict[bytes, int]:
    """The first token of each spelling; byte-fallback pieces spell no text."""
    found: dict[bytes, int] = {}
    for i, data in spelled(target).items():
        if target.surfaces.kinds[i] == Kind.TEXT:
            found.setdefault(data, i)
    return found


def _brought_to_mass(counts: Mapping[int, int], source: Vocabulary) -> dict[int, int]:
    total = sum(counts.values())
    mass = {True: MASS_OF_WORD_STARTS, False: MASS}
    return {j: max(1, mass[bool(source.starts[j])] * count // total) for j, count in counts.items()}


def _alike(asked: list[bytes], known: Mapping[bytes, int]) -> Iterable[list[bytes]]:
    """For each text the known ones that begin with it, and the longest known ones inside it."""
    ordered = sorted(known)
    beginnings = {text[:n] for text in ordered for n in range(1, len(text) + 1)}
    for text in asked:
        first = bisect_left(ordered, text)
        last = first
        while last < len(ordered) and ordered[last].startswith(text):
            last += 1
        yield ordered[first:last] + _inside(text, known, beginnings)


def _inside(text: bytes, known: Mapping[bytes, int], beginnings: set[bytes]) -> list[bytes]:
    longest: set[bytes] = set()
    for at in range(len(text)):
        found, end = b"", at + 1
        while end <= len(text) and (part := text[at:end]) in beginnings:
            found = part if part in known else found
            end += 1
        if found:
            longest.add(found)
    return [part for part in sorted(longest) if not any(part != other and part in other for other in longest)]
