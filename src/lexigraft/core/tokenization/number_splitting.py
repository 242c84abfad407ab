"""Ways in which vocabularies split numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from lexigraft.core.tokenization.vocabulary import Vocabulary

NUMBERS = (
    "7", "12", "48", "305", "100", "999", "2021", "1984", "7351", "4096", "31415", "90210", "65536", "271828", "700000",
    "1234567", "8675309", "16777216", "98765432",
)  # fmt: skip
"""Round and other numbers of one to eight digits, with years: they tell merges learned from text from a fixed rule."""

SHOWN = "2021"
MANY = 0.5


@dataclass(frozen=True)
class DigitScheme:
    """How numbers are split.

    Attributes:
        splits: The pieces of each of ``NUMBERS``; empty where the vocabulary cannot spell the number.
    """

    splits: tuple[tuple[str, ...], ...]

    @cached_property
    def name(self) -> str:
        """The rule, in words: the first that explains every sample."""
        groups = [tuple(map(len, pieces)) for pieces in self.splits]
        largest = max((length for group in groups for length in group), default=0)
        if not all(groups):
            return "some digits are unknown to it"
        if largest == 1:
            return "digit by digit"
        if all(len(group) == 1 for group in groups):
            return "whole numbers"
        if all(group == _from_the_left(sum(group), largest) for group in groups):
            return f"groups of up to {largest}, from the left"
        if all(group == _from_the_left(sum(group), largest)[::-1] for group in groups):
            return f"groups of up to {largest}, from the right"
        return "pieces learned from text"

    def shown(self, sample: int) -> str:
        """How one of ``NUMBERS`` is split, such as ``20|21``."""
        return "|".join(self.splits[sample]) or "nothing it knows"

    def differences(self, other: DigitScheme) -> list[int]:
        """Which of ``NUMBERS`` the two split differently."""
        pairs = zip(self.splits, other.splits, strict=True)
        return [n for n, (ours, theirs) in enumerate(pairs) if ours != theirs]


def digit_scheme(vocabulary: Vocabulary) -> DigitScheme:
    """The digit scheme of a vocabulary, from how it encodes ``NUMBERS``."""
    texts = vocabulary.surfaces.texts
    encoded = ([texts[i].strip() for i in ids] for ids in vocabulary.encode(NUMBERS))
    pieces = ([p.decode(errors="replace") for p in parts if p] for parts in encoded)
    return DigitScheme(tuple(_if_spelled(number, parts) for number, parts in zip(NUMBERS, pieces, strict=True)))


def _if_spelled(number: str, pieces: Sequence[str]) -> tuple[str, ...]:
    """The pieces if they spell the number, else none."""
    return tuple(pieces) if "".join(pieces) == number else ()


def _from_the_left(digits: int, size: int) -> tuple[int, ...]:
    full, rest = divmod(digits, size)
    return (size,) * full + ((rest,) if rest else ())


def digit_warning(source: Vocabulary, target: Vocabulary) -> str | None:
    """A warning when the two split numbers by different rules, or half of the samples differently; else ``None``."""
    ours, theirs = digit_scheme(source), digit_scheme(target)
    differing = ours.differences(theirs)
    if ours.name == theirs.name and len(differing) < MANY * len(NUMBERS):
        return None
    sample = next((n for n in differing if NUMBERS[n] == SHOWN), differing[0])
    if ours.name == theirs.name:
        names = "", f" ({len(differing)} of {len(NUMBERS)} sample numbers differ, both are {ours.name})"
    else:
        names = f" ({ours.name})", f" ({theirs.name})"
    return (
        f"digits: the source splits {NUMBERS[sample]} as {ours.shown(sample)}{names[0]}, the target as "
        f"{theirs.shown(sample)}{names[1]}: arithmetic may suffer (Goddard & Fernandes Neto 2025 on digit schemes)"
    )
