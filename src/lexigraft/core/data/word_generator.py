"""Generator of invented words."""

from __future__ import annotations

import numpy as np

ONSETS = (
    "k",
    "q",
    "p",
    "t",
    "m",
    "n",
    "ñ",
    "l",
    "ll",
    "r",
    "s",
    "h",
    "w",
    "y",
    "tx",
    "tl",
    "z",
    "ng",
    "mb",
    "nd",
    "x",
    "hu",
)
VOWELS = ("a", "e", "i", "o", "u", "aa", "ii", "uu", "ai", "au", "ö", "ü")
CODAS = ("", "", "", "n", "q", "s", "r", "y", "k", "l")
ENDINGS = ("s", "ed", "ing", "ly", "er", "est", "ness")
SHORT_RANKS = (40, 800, 8000)
TRIES = 40


class WordGenerator:
    """Draws new word forms, never one twice or one that is taken.

    Args:
        rng: The only source of randomness.
        taken: Words that no form may equal, lower-cased.
    """

    def __init__(self, rng: np.random.Generator, taken: set[str]) -> None:
        self._rng = rng
        self._used = set(taken)
        self._onsets = [ONSETS[i] for i in sorted(rng.choice(len(ONSETS), 14, replace=False))]
        self._vowels = [VOWELS[i] for i in sorted({0, 2, 4, *rng.choice(len(VOWELS), 3, replace=False).tolist()})]
        self._codas = CODAS[:3] + tuple(CODAS[3 + i] for i in sorted(rng.choice(len(CODAS) - 3, 3, replace=False)))

    def root(self, rank: int) -> str:
        """A new root for the word of this frequency rank (0 is the most frequent): the rarer, the longer."""
        syllables = 1 + sum(rank >= limit for limit in SHORT_RANKS)
        while True:
            for _ in range(TRIES):
                if (form := self.accept("".join(self._syllable() for _ in range(syllables)))) is not None:
                    return form
            syllables += 1

    def accept(self, form: str) -> str | None:
        """The form itself when it is free and at least two letters long (it is then taken), otherwise ``None``."""
        if form in self._used or len(form) < 2:
            return None
        self._used.add(form)
        return form

    def _syllable(self) -> str:
        parts = (self._onsets, self._vowels, self._codas)
        return "".join(part[int(self._rng.integers(len(part)))] for part in parts)


def invent_suffixes(rng: np.random.Generator) -> dict[str, str]:
    """One suffix of the synthetic language for each English ending, all different."""
    shapes = [
        c + v + e for c in ("k", "n", "r", "p", "m", "s", "t", "l") for v in "aiu" for e in ("", "", "n", "q", "y")
    ]
    choice = rng.choice(len(set(shapes)), len(ENDINGS), replace=False)
    distinct = sorted(set(shapes))
    return {ending: distinct[i] for ending, i in zip(ENDINGS, choice.tolist(), strict=True)}


def endings_of(word: str, known: frozenset[str]) -> tuple[str, str] | None:
    """The stem and the English ending of an inflected word whose stem is a known word of at least three letters.

    Spelling changes are undone: ``tries`` is ``try`` + s, ``making`` is ``make`` + ing, ``stopped`` is ``stop`` + ed.
    """
    for ending in ENDINGS:
        for stem in _stems(word, ending):
            if len(stem) >= 3 and stem in known and len(stem) < len(word):
                return stem, ending
    return None


def _stems(word: str, ending: str) -> list[str]:
    if not word.endswith(ending) or (ending == "s" and word.endswith("ss")):
        return []
    cut = word[: -len(ending)]
    if ending == "s":
        return [cut, *([cut[:-1]] if cut.endswith("e") else []), *([cut[:-2] + "y"] if cut.endswith("ie") else [])]
    if ending in ("ly", "ness"):
        return [cut, *([cut[:-1] + "y"] if cut.endswith("i") else [])]
    doubled = [cut[:-1]] if len(cut) > 2 and cut[-1] == cut[-2] else []
    return [cut, cut + "e", *doubled, *([cut[:-1] + "y"] if cut.endswith("i") else [])]
