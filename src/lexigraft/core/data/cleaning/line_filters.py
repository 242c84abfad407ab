"""Filters of text lines: length, repetition, evaluation text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lexigraft.core.data.ngram_overlap import NGRAM, EvaluationNgrams
from lexigraft.core.data.spill import LineDeduplicator


class LineFilter(Protocol):
    """A filter that sees every line that the filters before it left, in order.

    Attributes:
        reason: Why it drops a line, as counts name it.
    """

    @property
    def reason(self) -> str: ...

    def drops(self, lines: Sequence[str]) -> Sequence[bool]:
        """Which of the next lines are dropped."""


@dataclass(frozen=True)
class MinLength:
    """Drops lines of fewer characters."""

    characters: int
    reason: str = "too_short"

    def drops(self, lines: Sequence[str]) -> Sequence[bool]:
        """Which lines are too short."""
        return [len(line) < self.characters for line in lines]


@dataclass(frozen=True)
class MaxLength:
    """Drops lines of more characters."""

    characters: int
    reason: str = "too_long"

    def drops(self, lines: Sequence[str]) -> Sequence[bool]:
        """Which lines are too long."""
        return [len(line) > self.characters for line in lines]


class ExactDuplicates:
    """Drops lines that are equal to an earlier one; 8 bytes of memory for each different line."""

    reason = "duplicate"

    def __init__(self) -> None:
        self._seen = LineDeduplicator()

    def drops(self, lines: Sequence[str]) -> Sequence[bool]:
        """Which lines repeat an earlier one."""
        return [not new for new in self._seen.add([line.encode() for line in lines])]


class EvaluationText:
    """Drops lines that hold evaluation text: the same line, or one of its sequences of 13 words.

    An evaluation line of 5 to 12 words is one sequence of its own length; a shorter one drops equal lines only.
    Sequences are compared without case and punctuation.

    Source: Brown et al. 2020 (GPT-3), appendix C.

    Args:
        sets: The lines of each evaluation set by its name.
        ngram: Words of a sequence.

    Attributes:
        found: How many lines each set dropped; a line of several sets counts for the first of them.
    """

    reason = "evaluation_text"

    def __init__(self, sets: Mapping[str, Sequence[str]], ngram: int = NGRAM) -> None:
        self.found: Counter[str] = Counter(dict.fromkeys(sets, 0))
        self._names = list(sets)
        owners = np.repeat(np.arange(len(sets)), [len(lines) for lines in sets.values()])
        lines = [line for own in sets.values() for line in own]
        self._whole: dict[str, int] = {}
        for line, owner in zip(lines, owners.tolist(), strict=True):
            self._whole.setdefault(line.strip(), owner)
        self._index = EvaluationNgrams(lines, ngram)
        self._owners = {}
        for length, (hashes, line_of) in self._index.own.items():
            # np.unique gives the first place of each hash, so the first set that has the sequence owns it.
            _, first = np.unique(hashes, return_index=True)
            self._owners[length] = owners[line_of[first]]

    def drops(self, lines: Sequence[str]) -> Sequence[bool]:
        """Which lines hold evaluation text."""
        nobody = len(self._names)
        owner = np.array([self._whole.get(line, nobody) for line in lines])
        for length, at, line_of in self._index.find(lines):
            np.minimum.at(owner, line_of, self._owners[length][at])
        held = owner < nobody
        self.found.update(self._names[n] for n in owner[held].tolist())
        dropped: list[bool] = held.tolist()
        return dropped
