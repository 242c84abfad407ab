"""A compass kept on disk by the content that made it: text, tokenizers and settings."""

from __future__ import annotations

import logging
import zipfile
from dataclasses import astuple, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lexigraft.core.data.corpus import Corpus
from lexigraft.core.grafting.resources import Compass, StaticVectors
from lexigraft.core.methods.compass import DEFAULT_COMPASS, CompassSettings, steer
from lexigraft.core.utils.files import replacing
from lexigraft.core.utils.hashing import hash_of

if TYPE_CHECKING:
    from lexigraft.core.tokenization.vocabulary import Vocabulary

FORMAT = 1

logger = logging.getLogger("lexigraft")


def kept_compass(
    corpus: Corpus,
    source: Vocabulary,
    target: Vocabulary,
    folder: Path,
    settings: CompassSettings = DEFAULT_COMPASS,
) -> Compass:
    """The compass of a text for two vocabularies, learned once and read from then on.

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
    path = folder / f"compass-{key[:32]}.npz"
    if path.is_file():
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
                return Compass(_read(held, "source", source, key), _read(held, "target", target, key))
        except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile) as fault:
            logger.warning("the kept compass is damaged and is made again: %s", fault)
    steered = steer(corpus.lines, source, target, settings)
    found = Compass(*(replace(vectors, origin={"compass": key}) for vectors in (steered.source, steered.target)))
    (source_ids, source_vectors), (target_ids, target_vectors) = _held(found.source), _held(found.target)
    with replacing(path) as temporary, temporary.open("wb") as kept:
        np.savez(
            kept,
            source_ids=source_ids,
            source_vectors=source_vectors,
            target_ids=target_ids,
            target_vectors=target_vectors,
        )
    return found


def _held(vectors: StaticVectors) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    ids = np.flatnonzero(vectors.present)
    return ids, vectors.vectors.numpy()[ids]


def _read(held: np.lib.npyio.NpzFile, side: str, vocabulary: Vocabulary, key: str) -> StaticVectors:
    import torch

    ids, rows = held[f"{side}_ids"], held[f"{side}_vectors"]
    vectors = np.zeros((vocabulary.size, rows.shape[1]), np.float32)
    vectors[ids] = rows
    present = np.zeros(vocabulary.size, np.bool_)
    present[ids] = True
    return StaticVectors(torch.from_numpy(vectors), present, {"compass": key})
