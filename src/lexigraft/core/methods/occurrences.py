"""Multi-pattern search (Aho-Corasick) for token strings in a text, and snippets around the occurrences."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from lexigraft.core.tokenization.surface import SPACE_MARK
from lexigraft.core.tokenization.vocabulary import Vocabulary


class Found(NamedTuple):
    """Where a string of ids occurs: ``ids[start:end]`` is pattern number ``pattern``."""

    start: int
    end: int
    pattern: int


class Automaton:
    """Finds all occurrences of many strings of ids in one pass (Aho & Corasick 1975).

    Args:
        patterns: The strings; none empty, no two the same.
    """

    def __init__(self, patterns: Sequence[Sequence[int]]) -> None:
        self._lengths = [len(p) for p in patterns]
        self._next: list[dict[int, int]] = [{}]
        self._ends: list[list[int]] = [[]]
        self._back = [0]
        for number, pattern in enumerate(patterns):
            state = 0
            for i in pattern:
                state = self._next[state].setdefault(i, len(self._next))
                if state == len(self._next):
                    self._next.append({})
                    self._ends.append([])
                    self._back.append(0)
            self._ends[state].append(number)
        waiting = deque(self._next[0].values())
        while waiting:
            state = waiting.popleft()
            for i, child in self._next[state].items():
                back = self._back[child] = self._step(self._back[state], i)
                self._ends[child] += self._ends[back]
                waiting.append(child)

    def _step(self, state: int, i: int) -> int:
        following, back = self._next, self._back
        while i not in following[state]:
            if not state:
                return 0
            state = back[state]
        return following[state][i]

    def find(self, ids: Sequence[int]) -> list[Found]:
        """Every occurrence, overlapping ones too, ordered by their ends."""
        state, found = 0, []
        for end, i in enumerate(ids, start=1):
            state = self._step(state, i)
            if self._ends[state]:
                found += [Found(end - self._lengths[p], end, p) for p in self._ends[state]]
        return found


def drop_overlaps(found: Iterable[Found]) -> list[Found]:
    """Occurrences that do not overlap: the longest first, then the leftmost; in reading order."""
    taken: set[int] = set()
    kept = []
    for each in sorted(found, key=lambda f: (f.start - f.end, f.start)):
        places = range(each.start, each.end)
        if taken.isdisjoint(places):
            taken.update(places)
            kept.append(each)
    return sorted(kept)


@dataclass(frozen=True)
class Snippet:
    """A part of a text.

    Attributes:
        ids: Its source tokens.
        found: The wanted strings in it, in reading order, none overlapping another.
    """

    ids: tuple[int, ...]
    found: tuple[Found, ...]

    def replaced(self, first: int) -> tuple[list[int], list[int]]:
        """The snippet with every wanted string as the one id ``first + pattern``.

        Returns:
            The ids, and for each of them the position in ``ids`` of the last token that it replaces.
        """
        short: list[int] = []
        last: list[int] = []
        at = 0
        for start, end, pattern in (*self.found, Found(len(self.ids), len(self.ids), -1)):
            short += self.ids[at:start]
            last += range(at, start)
            if pattern >= 0:
                short.append(first + pattern)
                last.append(end - 1)
            at = end
        return short, last


def gather(
    lines: Iterable[Sequence[int]], patterns: Sequence[Sequence[int]], *, per_pattern: int, length: int, most: int
) -> list[Snippet]:
    """Choose snippets evenly over the patterns: each gets one before any gets a second, and so on.

    Other patterns in a chosen snippet count too. Reading stops when every pattern has occurred often enough.

    Args:
        lines: Source tokens of each line, in the order to read them.
        patterns: The wanted strings of ids; none empty, no two the same.
        per_pattern: How many snippets one pattern needs at most.
        length: Tokens of a snippet; shorter lines stay whole, in longer ones the string is in the middle.
        most: How many snippets to choose at most.

    Returns:
        The snippets, in the order chosen.
    """
    automaton = Automaton(patterns)
    places: list[list[tuple[int, Found]]] = [[] for _ in patterns]
    kept: list[tuple[Sequence[int], list[Found]]] = []
    wanting = len(patterns)
    for ids in lines:
        found = [f for f in drop_overlaps(automaton.find(ids)) if f.end - f.start <= length]
        useful = [f for f in found if len(places[f.pattern]) < per_pattern]
        for each in useful:
            places[each.pattern].append((len(kept), each))
            wanting -= len(places[each.pattern]) == per_pattern
        if useful:
            kept.append((ids, found))
        if not wanting:
            break
    return _share(kept, places, per_pattern, length, most)


def _share(
    kept: Sequence[tuple[Sequence[int], list[Found]]],
    places: Sequence[list[tuple[int, Found]]],
    per_pattern: int,
    length: int,
    most: int,
) -> list[Snippet]:
    have = [0] * len(places)
    used: set[tuple[int, Found]] = set()
    chosen: list[Snippet] = []
    waiting = [iter(p) for p in places]
    for wanted in range(1, per_pattern + 1):
        for pattern, candidates in enumerate(waiting):
            if have[pattern] >= wanted or (place := next((p for p in candidates if p not in used), None)) is None:
                continue
            if len(chosen) == most:
                return chosen
            line, middle = place
            ids, found = kept[line]
            start = max(0, min((middle.start + middle.end - length) // 2, len(ids) - length))
            inside = [f for f in found if f.start >= start and f.end <= start + length]
            for each in inside:
                used.add((line, each))
                have[each.pattern] += 1
            shifted = tuple(Found(f.start - start, f.end - start, f.pattern) for f in inside)
            chosen.append(Snippet(tuple(ids[start : start + length]), shifted))
    return chosen


def frame(vocabulary: Vocabulary) -> tuple[list[int], list[int]]:
    """The special tokens that the tokenizer puts before and after a text."""
    encoding = vocabulary.tokenizer.backend_tokenizer.encode("a", add_special_tokens=True)
    text = [n for n, special in enumerate(encoding.special_tokens_mask) if not special]
    return encoding.ids[: text[0]], encoding.ids[text[-1] + 1 :]


def whole_pieces(vocabulary: Vocabulary, text: bytes, starts: bool) -> list[int]:
    """The vocabulary's tokens for some bytes as inside running text, or none where they do not spell all of them.

    Args:
        vocabulary: The vocabulary.
        text: The bytes, without the word-start space.
        starts: Whether they start a word.
    """
    pieces = vocabulary.pieces(text, starts)
    written = b"".join(vocabulary.surfaces.texts[i] for i in pieces)
    wanted = text
    with suppress(UnicodeDecodeError):
        wanted = vocabulary.normalized(text.decode()).replace(SPACE_MARK, " ").encode()
    return pieces if written.replace(b" ", b"") == wanted.replace(b" ", b"") else []
