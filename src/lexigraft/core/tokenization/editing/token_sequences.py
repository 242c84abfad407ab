"""Words of a text as sequences of tokens, written so that a trainer of merges takes tokens for letters."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, pairwise
from typing import Any

from lexigraft.core.tokenization.number_splitting import digit_scheme
from lexigraft.core.tokenization.surface import SPACE_MARK, Family, Kind
from lexigraft.core.tokenization.token_counts import BATCH_LINES
from lexigraft.core.tokenization.unknown_tokens import unknown_ids
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.tokenization.word_cache import word_by_word

Run = tuple[int, ...]

FIRST_LETTER = 0x10000
"""The code point that stands for token 0; from here on none is white space."""

COVERAGE = 0.9995
"""The share of a text's characters that get tokens where bytes can spell the others, as in SentencePiece."""


@dataclass(frozen=True)
class TokenSequences:
    """The segmentation of a text, for the learning of merges between tokens.

    Attributes:
        vocabulary: The vocabulary that cuts the text.
        characters: Characters that it spells by byte-fallback pieces and that are to be tokens; they follow its own.
    """

    vocabulary: Vocabulary
    characters: tuple[str, ...] = ()

    def words(self, runs: Mapping[Run, int]) -> Iterator[str]:
        """Each run as words between spaces, as often as it occurs, a letter for each token."""
        for run, count in runs.items():
            if letters := self.letters(run):
                yield f"{letters} " * count

    def string_of(self, letters: str) -> str:
        """The string of the token that some letters would be merged into."""
        return "".join(self._strings[ord(letter) - FIRST_LETTER] for letter in letters)

    @cached_property
    def _strings(self) -> tuple[str, ...]:
        return self.vocabulary.tokens + self.characters

    @cached_property
    def _is_byte(self) -> list[bool]:
        return [kind == Kind.BYTE for kind in self.vocabulary.surfaces.kinds.tolist()]

    @cached_property
    def _new(self) -> dict[str, int]:
        return {c: self.vocabulary.size + n for n, c in enumerate(self.characters)}

    @cached_property
    def _barred(self) -> frozenset[int]:
        added = self.vocabulary.tokenizer.added_tokens_decoder
        return frozenset({*self.vocabulary.special_ids, *unknown_ids(self.vocabulary), *added})

    @cached_property
    def _digit_by_digit(self) -> bool:
        return digit_scheme(self.vocabulary).name == "digit by digit"

    def letters(self, run: Run) -> str:
        """A run as words between spaces, a letter for each token."""
        symbols: list[int | None] = []
        for is_bytes, part in groupby(run, self._is_byte.__getitem__):
            if is_bytes:
                text = _spelled(self.vocabulary, part)
                symbols += [self._new.get(c) for c in text]
            else:
                symbols += [None if i in self._barred else i for i in part]
        letters: list[str] = []
        before = ""
        for symbol in symbols:
            if symbol is None:
                letters.append(" ")
                before = ""
                continue
            string = self._strings[symbol]
            if before and self._parts(before, string):
                letters.append(" ")
            letters.append(chr(FIRST_LETTER + symbol))
            before = string
        return "".join(letters)

    def _parts(self, left: str, right: str) -> bool:
        """Whether no token may hold both; SentencePiece parts words, and letters from digits and signs, in training."""
        if self._digit_by_digit and (left[-1].isdigit() or right[0].isdigit()):
            return True
        if self.vocabulary.family is not Family.SENTENCEPIECE:
            return False
        return right[0] == SPACE_MARK or (left[-1] != SPACE_MARK and _class(left[-1]) != _class(right[0]))


def count_runs(vocabulary: Vocabulary, lines: Sequence[str]) -> Counter[Run]:
    """How often each run of tokens occurs: the tokens of a pre-token, or between marks of word starts."""
    backend = vocabulary.tokenizer.backend_tokenizer
    is_marked = vocabulary.family is Family.SENTENCEPIECE
    begins = [is_marked and token.startswith(SPACE_MARK) for token in vocabulary.tokens]
    texts = _distinct_words(lines) if word_by_word(backend) else Counter(lines)
    distinct = list(texts)
    runs: Counter[Run] = Counter()
    for start in range(0, len(distinct), BATCH_LINES):
        batch = distinct[start : start + BATCH_LINES]
        for text, encoding in zip(batch, backend.encode_batch(batch, add_special_tokens=False), strict=True):
            ids, words, count = encoding.ids, encoding.word_ids, texts[text]
            cuts = [k for k in range(1, len(ids)) if words[k] != words[k - 1] or begins[ids[k]]]
            for left, right in pairwise([0, *cuts, len(ids)]):
                runs[tuple(ids[left:right])] += count
    return runs


def _distinct_words(lines: Sequence[str]) -> Counter[str]:
    """How often each word occurs, with the space before it; lines with other white space count whole."""
    whole: Counter[str] = Counter()
    inside: Counter[str] = Counter()
    for line in lines:
        first, *others = line.split(" ")
        if line.isprintable() and first and "" not in others:
            whole[first] += 1
            inside.update(others)
        else:
            whole[line] += 1
    for word, count in inside.items():
        whole[f" {word}"] += count
    return whole


def fallback_characters(vocabulary: Vocabulary, runs: Mapping[Run, int], total: int, limit: int) -> tuple[str, ...]:
    """The characters of a text that byte-fallback pieces spell, most frequent first: those that coverage asks for.

    Args:
        vocabulary: The vocabulary.
        runs: The text's runs of tokens with their counts.
        total: How many characters the text has.
        limit: How many at most.

    Returns:
        Characters that occur at least twice; none where nothing falls back on bytes.
    """
    kinds = vocabulary.surfaces.kinds.tolist()
    if Kind.BYTE not in kinds:
        return ()
    counts: Counter[str] = Counter()
    for run, count in runs.items():
        for is_bytes, part in groupby(run, lambda i: kinds[i] == Kind.BYTE):
            if is_bytes:
                for character in _spelled(vocabulary, part):
                    counts[character] += count
    return tuple(c for c in covering(counts, total) if counts[c] > 1 and c.isprintable() and c != " ")[:limit]


def covering(counts: Mapping[str, int], total: int) -> list[str]:
    """The characters that coverage asks for, most frequent first; of equally frequent ones, higher code points.

    Args:
        counts: How often each character occurs.
        total: How many characters the text has.
    """
    spare = math.floor((1 - COVERAGE) * total)
    ordered = sorted(counts, key=lambda c: (counts[c], c))
    while ordered and counts[ordered[0]] <= spare:
        spare -= counts[ordered.pop(0)]
    return ordered[::-1]


def _spelled(vocabulary: Vocabulary, ids: Any) -> str:
    return b"".join(vocabulary.surfaces.texts[i] for i in ids).decode(errors="ignore")


def _class(character: str) -> str:
    from unicodedata import category

    major = category(character)[0]
    return "L" if major == "M" else major if major in "LN" else "S"
