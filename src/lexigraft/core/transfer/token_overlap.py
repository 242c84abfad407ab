"""Token overlap of a donor's and a target's text, under a tokenizer or by whole words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from lexigraft.core.tokenization.surface import Kind
from lexigraft.core.tokenization.token_counts import token_counts

if TYPE_CHECKING:
    from lexigraft.core.tokenization.vocabulary import Vocabulary

Counts = Mapping[int, int] | Mapping[str, int]


@dataclass(frozen=True)
class TextCounts:
    """One text in figures.

    Attributes:
        lines: Its lines.
        bytes: Its UTF-8 bytes, without line ends.
        words: Its words, split at white space.
        word_types: Its different words.
        tokens: Its tokens, without special ones; the words where no tokenizer is given.
        token_types: Its different tokens, without the unknown one.
        fragment_share: The share of tokens that are a byte or another fragment of a character: what byte fallback
            makes of text that the tokenizer does not know. ``None`` without a tokenizer.
        unknown_share: The share of tokens that are the unknown token. ``None`` without a tokenizer.
    """

    lines: int
    bytes: int
    words: int
    word_types: int
    tokens: int
    token_types: int
    fragment_share: float | None = None
    unknown_share: float | None = None

    @property
    def type_token_ratio(self) -> float:
        """Different words over words; it falls as a text grows, so compare it at equal length only."""
        return self.word_types / self.words if self.words else 0.0


@dataclass(frozen=True)
class TokenOverlap:
    """What two texts share.

    Attributes:
        shared_types: Types that both have, ``|T_donor ∩ T_target|``.
        by_types: Their share of the target's types, ``|T_donor ∩ T_target| / |T_target|``.
        by_mass: The share of the target's tokens, as they occur, whose type the donor has.
        donor: The donor's text.
        target: The target's text.
        compared_words: Words of the shorter text.
        donor_type_token_ratio: Different words over words in the first so many words of the donor.
        target_type_token_ratio: The same of the target.
    """

    shared_types: int
    by_types: float
    by_mass: float
    donor: TextCounts
    target: TextCounts
    compared_words: int
    donor_type_token_ratio: float
    target_type_token_ratio: float

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def token_overlap(donor: Sequence[str], target: Sequence[str], vocabulary: Vocabulary | None = None) -> TokenOverlap:
    """Compare two texts.

    The overlap is not symmetric, and grows with the donor's text: compare donors at equal size. Special tokens and the
    unknown token are no part of it, because the unknown token stands for other text each time.

    Args:
        donor: Lines of the donor's text.
        target: Lines of the target's.
        vocabulary: The tokenizer's; without one whole words are compared.
    """
    (donor_counts, donor_text), (target_counts, target_text) = (_count(text, vocabulary) for text in (donor, target))
    shared = donor_counts.keys() & target_counts.keys()
    mass = sum(target_counts.values())
    words = min(donor_text.words, target_text.words)
    return TokenOverlap(
        shared_types=len(shared),
        by_types=len(shared) / len(target_counts) if target_counts else 0.0,
        by_mass=sum(target_counts[unit] for unit in shared) / mass if mass else 0.0,
        donor=donor_text,
        target=target_text,
        compared_words=words,
        donor_type_token_ratio=_type_token_ratio(donor, words),
        target_type_token_ratio=_type_token_ratio(target, words),
    )


def _count(lines: Sequence[str], vocabulary: Vocabulary | None) -> tuple[Mapping[Any, int], TextCounts]:
    """How often each type occurs, and the text's figures."""
    words = Counter(_words(lines))
    size = sum(len(line.encode("utf-8", "surrogatepass")) for line in lines)
    if vocabulary is None:
        total = words.total()
        return words, TextCounts(len(lines), size, total, len(words), total, len(words))
    every = token_counts(vocabulary, lines)
    total = int(every.sum())
    unknown = vocabulary.specials.get("unk")
    counts = {int(i): int(every[i]) for i in every.nonzero()[0] if i != unknown and i not in vocabulary.special_ids}
    fragments = sum(count for i, count in counts.items() if _is_fragment(vocabulary, i))
    lost = int(every[unknown]) if unknown is not None else 0
    shares = (fragments / total, lost / total) if total else (0.0, 0.0)
    return counts, TextCounts(len(lines), size, words.total(), len(words), total, len(counts), *shares)


def _is_fragment(vocabulary: Vocabulary, i: int) -> bool:
    if vocabulary.surfaces.kinds[i] == Kind.BYTE:
        return True
    try:
        vocabulary.surfaces.texts[i].decode()
    except UnicodeDecodeError:
        return True
    return False


def _words(lines: Iterable[str]) -> Iterable[str]:
    return (word for line in lines for word in line.split())


def _type_token_ratio(lines: Sequence[str], words: int) -> float:
    return len(set(islice(_words(lines), words))) / words if words else 0.0
