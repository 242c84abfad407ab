"""Alignment of two files of word vectors by a dictionary, and its quality on held-out words."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from lexigraft.core.config.recipe import DictionarySettings
from lexigraft.core.data.dictionary import load_dictionary
from lexigraft.core.errors import LexigraftError, UnknownName
from lexigraft.core.evaluation.lexicon import Lexicon, induction_scores
from lexigraft.core.linalg.csls import NEIGHBORS
from lexigraft.core.utils.memory import default_memory_budget

if TYPE_CHECKING:
    import torch

    from lexigraft.core.grafting.resources import WordSpace
    from lexigraft.core.linalg.linear_maps import LinearMap

Method = Literal["procrustes", "rcsls"]
Pairs = list[tuple[str, str]]
Paths = Sequence[str | Path]
TEST_SHARE = 0.2
LIMIT_WORDS = 100_000
STEPS = 10


@dataclass(frozen=True)
class AlignResult:
    """Two spaces brought together.

    Attributes:
        method: How the map was learned.
        pairs: Dictionary pairs it was learned from: both words have vectors.
        train_pairs: Dictionary pairs that were given for it.
        figures: Of the test words ``precision_at_1`` and others; empty where there are none.
        notes: Sentences worth showing.
        out: The file of mapped source vectors, in the target's space.
    """

    method: str
    pairs: int
    train_pairs: int
    figures: Mapping[str, float]
    notes: tuple[str, ...]
    out: Path | None

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "out": None if self.out is None else str(self.out)}


def align_vectors(
    source: str | Path,
    target: str | Path,
    dictionary: Paths,
    out: str | Path | None = None,
    *,
    test: Paths = (),
    test_share: float = TEST_SHARE,
    reverse: bool = False,
    method: str = "procrustes",
    limit_words: int = LIMIT_WORDS,
    neighbors: int = NEIGHBORS,
    steps: int = STEPS,
    force: bool = False,
) -> AlignResult:
    """Learn a linear map from one space of word vectors to another, measure it, and write the mapped vectors.

    No source word that is tested on is learned from. A word is looked up as it is written, then in lower case.

    Args:
        source: Word vectors of the source language: .bin, .vec or .npz.
        target: Word vectors of the target language.
        dictionary: Files with lines of source TAB target.
        out: The .vec file for the mapped source vectors.
        test: A dictionary to test on; its source words are taken out of the other one.
        test_share: Without one, the share of source words that is held out for the test.
        reverse: Whether the dictionaries' columns are the other way around.
        method: ``procrustes`` (orthogonal), or ``rcsls`` (learned for retrieval by CSLS).
        limit_words: How many words of each file are read, the first, which are the most frequent.
        neighbors: How many nearest neighbors CSLS looks at.
        steps: How many steps ``rcsls`` tries.
        force: Whether an existing file is replaced.

    Raises:
        LexigraftError: A file that cannot be read or written, or no pair of words with vectors to learn from or to
            test on.
    """
    from lexigraft.adapters.vectors.vec_writer import write_vec
    from lexigraft.adapters.vectors.word_vectors import read_words

    if method not in get_args(Method):
        raise UnknownName("alignment method", method, get_args(Method))
    if not 0 <= test_share < 1:
        raise LexigraftError("the test's share must be at least 0 and below 1", test_share)
    if min(limit_words, neighbors, steps) < 1:
        raise LexigraftError("limit_words, neighbors and steps must be at least 1", min(limit_words, neighbors, steps))
    written = None if out is None else _writable(Path(out), force)
    train, tested, notes = _divided(dictionary, test, test_share, reverse)
    ours, theirs = (read_words(str(name), limit_words) for name in (source, target))
    left, right = (
        _rows(space, {pair[side] for pair in (*train, *tested)}) for side, space in enumerate((ours, theirs))
    )
    rows = list(dict.fromkeys((left[s], right[t]) for s, t in train if s in left and t in right))
    _refuse_unlinked(rows, train, ours, theirs)
    if len(rows) < theirs.vectors.shape[1]:
        width = theirs.vectors.shape[1]
        notes.append(f"{len(rows):,} pairs of words with vectors for {width} dimensions: aligned only in part.")
    budget = default_memory_budget()
    found = _learned(method, ours.vectors, theirs.vectors, rows, budget, neighbors, steps)
    mapped = found.points(ours.vectors)
    figures: Mapping[str, float] = {}
    if tested:
        scores = induction_scores(Lexicon.of(tested), left, right, mapped, theirs.vectors, budget, neighbors)
        figures = scores.figures
        notes += scores.notes
    else:
        notes.append("Nothing is measured: no word is held out.")
    if written is not None:
        write_vec(written, ours.words, mapped.numpy())
    return AlignResult(method, len(rows), len(train), figures, tuple(notes), written)


def _refuse_unlinked(rows: Sequence[tuple[int, int]], pairs: Pairs, source: WordSpace, target: WordSpace) -> None:
    if not rows:
        raise LexigraftError(
            "no pair of the dictionary has word vectors on both sides",
            f"{len(pairs):,} pairs, {len(source.words):,} source words, {len(target.words):,} target words",
            "Check the dictionary's direction (--reverse turns it around) and its languages",
        )


def _writable(out: Path, force: bool) -> Path:
    if out.suffix != ".vec":
        raise LexigraftError("mapped vectors are written as a text file", out, "Let its name end in .vec")
    if out.exists() and not force:
        raise LexigraftError("output file exists", out, "Choose another --out, or pass --force to replace it")
    return out


def _divided(dictionary: Paths, test: Paths, test_share: float, reverse: bool) -> tuple[Pairs, Pairs, list[str]]:
    """Pairs to learn from and to test on, no source word in both, and notes."""
    read = load_dictionary(DictionarySettings(path=list(map(str, dictionary)), reverse=reverse))
    notes = (
        [f"{read.rejected:,} lines of the dictionary are not two columns and are left out."] if read.rejected else []
    )
    if test:
        tested = list(load_dictionary(DictionarySettings(path=list(map(str, test)), reverse=reverse)).pairs)
        unseen = {word.casefold() for word, _ in tested}
        train = [pair for pair in read.pairs if pair[0].casefold() not in unseen]
        if taken := len(read) - len(train):
            notes.append(f"{taken:,} pairs are not learned from: their source words are tested on.")
    else:
        tested = [pair for pair in read.pairs if _position(pair[0]) < test_share]
        train = [pair for pair in read.pairs if _position(pair[0]) >= test_share]
    if not train:
        hint = "Give a larger dictionary, or another test"
        raise LexigraftError("no pair of the dictionary is left to learn from", f"{len(read):,} pairs", hint)
    return train, tested, notes


def _position(word: str) -> float:
    """A hash of a word as a number in [0, 1), whatever its case."""
    digest = hashlib.blake2b(word.casefold().encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little") / 2**64


def _rows(space: WordSpace, words: Iterable[str]) -> dict[str, int]:
    """The row of each word that the space has, as it is written or in lower case."""
    places = {word: n for n, word in reversed(list(enumerate(space.words)))}
    found = ((word, places.get(word, places.get(word.lower()))) for word in words)
    return {word: row for word, row in found if row is not None}


def _learned(
    method: str,
    source: torch.Tensor,
    target: torch.Tensor,
    rows: Sequence[tuple[int, int]],
    budget: int,
    neighbors: int,
    steps: int,
) -> LinearMap:
    """The map between the spaces, learned on pairs of rows scaled to length 1."""
    from lexigraft.core.linalg.linear_maps import LinearMap, procrustes
    from lexigraft.core.linalg.nearest import unit_rows
    from lexigraft.core.linalg.rcsls import rcsls

    x, y = source[[s for s, _ in rows]], target[[t for _, t in rows]]
    if method == "rcsls":
        return rcsls(x, y, source, target, budget, neighbors=neighbors, steps=steps).map
    weight = procrustes(unit_rows(x).double(), unit_rows(y).double(), center=False).weight.float()
    return LinearMap(weight, weight.new_zeros(x.shape[1]), weight.new_zeros(y.shape[1]))
