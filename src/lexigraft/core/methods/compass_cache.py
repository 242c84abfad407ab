"""Disk cache of compass vectors, keyed by the content of text, tokenizers and settings."""

from __future__ import annotations

from dataclasses import astuple, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lexigraft.core.data.corpus import Corpus
from lexigraft.core.grafting.resources import Compass, StaticVectors
from lexigraft.core.methods.compass import DEFAULT_COMPASS, CompassSettings, build_compass
from lexigraft.core.utils.array_cache import Arrays, cached_arrays
from lexigraft.core.utils.hashing import hash_of

if TYPE_CHECKING:
    from lexigraft.core.tokenization.vocabulary import Vocabulary

FORMAT = 1


def cached_compass(
    corpus: Corpus,
    source: Vocabulary,
    target: Vocabulary,
    folder: Path,
    settings: CompassSettings = DEFAULT_COMPASS,
) -> Compass:
    """The compass of a text for two vocabularies, built once and then read from disk.

    Args:
        corpus: Target text.
        source: The source vocabulary.
        target: The target vocabulary.
        folder: Where it is kept; a damaged file is made again.
        settings: How it is made; a compass of other settings is another one.

    Raises:
        LexigraftError: The text has too few words, or the folder cannot be written.
    """
    key = hash_of([FORMAT, corpus.hash, source.hash, target.hash, list(astuple(settings))])

    def make() -> Compass:
        steered = build_compass(corpus.lines, source, target, settings)
        return Compass(*(replace(vectors, origin={"compass": key}) for vectors in (steered.source, steered.target)))

    def to_arrays(compass: Compass) -> Arrays:
        (source_ids, source_vectors), (target_ids, target_vectors) = _held(compass.source), _held(compass.target)
        return {
            "source_ids": source_ids,
            "source_vectors": source_vectors,
            "target_ids": target_ids,
            "target_vectors": target_vectors,
        }

    def from_arrays(arrays: Arrays) -> Compass:
        return Compass(_read(arrays, "source", source, key), _read(arrays, "target", target, key))

    return cached_arrays(folder / f"compass-{key[:32]}.npz", make, to_arrays, from_arrays)


def _held(vectors: StaticVectors) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    ids = np.flatnonzero(vectors.present)
    return ids, vectors.vectors.numpy()[ids]


def _read(held: Arrays, side: str, vocabulary: Vocabulary, key: str) -> StaticVectors:
    import torch

    ids, rows = held[f"{side}_ids"], held[f"{side}_vectors"]
    vectors = np.zeros((vocabulary.size, rows.shape[1]), np.float32)
    vectors[ids] = rows
    present = np.zeros(vocabulary.size, np.bool_)
    present[ids] = True
    return StaticVectors(torch.from_numpy(vectors), present, {"compass": key})
