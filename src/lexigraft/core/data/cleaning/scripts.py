"""Unicode scripts of text, by their codes of ISO 15924 such as ``Latn``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from lexigraft.core.errors import LexigraftError, did_you_mean

SHARED = frozenset({"Zyyy", "Zinh", "Zzzz"})
"""Common (digits, punctuation, symbols, marks of several scripts), Inherited (combining marks), Unknown."""


@lru_cache(2**16)
def code_of(character: str) -> str:
    """The code of a character's script; ``""`` where it belongs to none or to several."""
    from fontTools.unicodedata import script

    code = str(script(character))
    return "" if code in SHARED else code


def script_counts(characters: Mapping[str, int]) -> Counter[str]:
    """How many characters belong to each script, most frequent first.

    Args:
        characters: How often each character occurs.
    """
    found: Counter[str] = Counter()
    for character, count in characters.items():
        if code := code_of(character):
            found[code] += count
    return Counter(dict(sorted(found.items(), key=lambda item: (-item[1], item[0]))))


def require_codes(codes: Iterable[str]) -> frozenset[str]:
    """The codes, each checked.

    Raises:
        LexigraftError: There is no such script.
    """
    from fontTools.unicodedata import Scripts

    known = set(Scripts.NAMES) - SHARED
    for code in codes:
        if code not in known:
            hint = did_you_mean(code, known) if len(code) == 4 else "Give a code of ISO 15924, such as Latn, Arab, Deva"
            raise LexigraftError("unknown script", code, hint[:200])
    return frozenset(codes)


@dataclass(frozen=True)
class OtherScript:
    """Drops lines of which too small a share of letters belongs to some scripts, and lines without a letter.

    Attributes:
        codes: The scripts.
        share: The least share of the characters that belong to a script at all.
    """

    codes: frozenset[str]
    share: float = 0.5
    reason: str = "other_script"

    def drops(self, lines: Sequence[str]) -> Sequence[bool]:
        """Which lines are in other scripts."""
        return [not self._keeps(line) for line in lines]

    def _keeps(self, line: str) -> bool:
        counts = script_counts(Counter(line))
        return bool(counts) and sum(counts[code] for code in self.codes) >= self.share * counts.total()
