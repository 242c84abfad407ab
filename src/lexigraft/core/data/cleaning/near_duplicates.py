"""Near duplicates by MinHash and exact Jaccard similarity."""

from __future__ import annotations

from collections.abc import Sequence

from lexigraft.core.errors import LexigraftError

SHINGLE = 5
"""Characters of a shingle."""
PERMUTATIONS = 128
WEIGHTS = (0.02, 0.98)
"""How much a wrong candidate and a missed one cost the index; a wrong one costs time alone, it is compared again."""


def shingles(line: str) -> frozenset[str]:
    """The different character 5-grams of a line, without case, white space as single spaces; a shorter line is one."""
    text = " ".join(line.casefold().split())
    return frozenset(text[n : n + SHINGLE] for n in range(max(1, len(text) - SHINGLE + 1)))


class NearDuplicates:
    """Drops lines whose shingles are much like those of an earlier line that was kept.

    MinHash with locality-sensitive hashing finds candidates; a line is dropped when its Jaccard similarity with one
    of them, ``|A ∩ B| / |A ∪ B|`` of their different shingles, is large enough. So nothing less similar is dropped,
    and of pairs just similar enough about one in thirty is missed. All kept lines are held in memory, with their
    hashes.

    Source: Broder 1997; Lee et al. 2022, "Deduplicating Training Data Makes Language Models Better".

    Args:
        similarity: The least Jaccard similarity of near duplicates, 0.5 to 0.95.

    Raises:
        LexigraftError: The package datasketch is missing.
    """

    reason = "near_duplicate"

    def __init__(self, similarity: float = 0.8) -> None:
        try:
            from datasketch import MinHash, MinHashLSH
        except ImportError:
            hint = "pip install 'lexigraft[corpus]', or use --duplicates exact"
            raise LexigraftError("near duplicates need the package datasketch", "datasketch", hint) from None
        self._similarity, self._signatures = similarity, MinHash.generator
        self._index = MinHashLSH(threshold=similarity, num_perm=PERMUTATIONS, weights=WEIGHTS)
        self._kept: list[str] = []

    def drops(self, lines: Sequence[str]) -> Sequence[bool]:
        """Which lines are near duplicates of an earlier one."""
        sets = [shingles(line) for line in lines]
        encoded = ([shingle.encode() for shingle in own] for own in sets)
        signatures = self._signatures(encoded, num_perm=PERMUTATIONS)
        return [self._drops(*one) for one in zip(lines, sets, signatures, strict=True)]

    def _drops(self, line: str, own: frozenset[str], signature: object) -> bool:
        for key in self._index.query(signature):
            other = shingles(self._kept[key])
            common = len(own & other)
            if common >= self._similarity * (len(own) + len(other) - common):
                return True
        self._index.insert(len(self._kept), signature)
        self._kept.append(line)
        return False
