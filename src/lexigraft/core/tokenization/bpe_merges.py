"""BPE merges of a vocabulary, and tokens as mixtures of the matched tokens that they are merged from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from lexigraft.core.tokenization.matching.segmentations import shares_of_best_partitions
from lexigraft.core.tokenization.matching.spelling import spelled
from lexigraft.core.tokenization.surface import component
from lexigraft.core.tokenization.vocabulary import Vocabulary

Pair = tuple[int, int]
Shares = Mapping[int, float]


def merges(vocabulary: Vocabulary) -> dict[int, list[Pair]]:
    """Every pair of tokens that a BPE tokenizer merges into a token, by its id; nothing for other tokenizers."""
    model = component(vocabulary.tokenizer.backend_tokenizer.model)
    prefix = model.get("continuing_subword_prefix") or ""
    pairs: dict[int, list[Pair]] = {}
    for merge in model.get("merges") or []:
        left, right = merge.split(" ") if isinstance(merge, str) else merge
        merged, first, second = map(vocabulary.id_of, (left + right.removeprefix(prefix), left, right))
        if merged is not None and first is not None and second is not None:
            pairs.setdefault(merged, []).append((first, second))
    return pairs


def shares_of_leaves(vocabulary: Vocabulary, matches: npt.NDArray[np.int64]) -> dict[int, Shares]:
    """Each token as a mixture of source rows, following its merges down to tokens that have a match.

    A matched token is its match. Any other token is the mean over its merges, each the mean of its two parts; a merge
    with a part that has no mixture does not count. Where no merge counts (an added token; every token of Unigram and
    WordPiece), all splits of the spelling into two tokens that have a mixture count instead, word start kept, and where
    there is none, the partitions into the fewest. Parts are shorter than their token, so there are no cycles.

    Args:
        vocabulary: The target vocabulary.
        matches: Source id of each token's match, or -1, shape ``(size,)``.

    Returns:
        Weights by source id, summing to 1, for each token that has a mixture.
    """
    texts, pairs = spelled(vocabulary), merges(vocabulary)
    mixtures: dict[int, Shares] = {i: {int(matches[i]): 1.0} for i in texts if matches[i] >= 0}
    known: dict[bytes, int] = {}
    longest = max(map(len, texts.values()), default=0)
    for i, text in sorted(texts.items(), key=lambda item: len(item[1])):
        if i not in mixtures:
            usable = [
                pair for pair in pairs.get(i, ()) if _shorter(text, texts, pair) and all(p in mixtures for p in pair)
            ]
            shares = _mean(usable or _halves(text, known), mixtures)
            shares = shares or _mixed(shares_of_best_partitions(text, known, longest), mixtures)
            if not shares:
                continue
            mixtures[i] = shares
        known.setdefault(text, i)
    return mixtures


def _shorter(text: bytes, texts: Mapping[int, bytes], pair: Pair) -> bool:
    return all(part in texts and len(texts[part]) < len(text) for part in pair)


def _halves(text: bytes, known: Mapping[bytes, int]) -> list[Pair]:
    cuts = ((text[:cut], text[cut:]) for cut in range(1, len(text)))
    return [(known[left], known[right]) for left, right in cuts if left in known and right in known]


def _mean(pairs: Sequence[Pair], mixtures: Mapping[int, Shares]) -> Shares:
    weight = 0.5 / max(1, len(pairs))
    return _mixed(((part, weight) for pair in pairs for part in pair), mixtures)


def _mixed(parts: Shares | Iterable[tuple[int, float]], mixtures: Mapping[int, Shares]) -> Shares:
    shares: dict[int, float] = {}
    for part, weight in parts.items() if isinstance(parts, Mapping) else parts:
        for i, inner in mixtures[part].items():
            shares[i] = shares.get(i, 0.0) + weight * inner
    return shares
