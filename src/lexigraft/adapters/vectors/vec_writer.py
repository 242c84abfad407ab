"""Writer of text .vec files, as fastText, gensim and this project's readers take them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lexigraft.core.utils.files import replacing


def write_vec(path: Path, words: Sequence[str], vectors: npt.NDArray[np.float32]) -> None:
    """Write ``COUNT DIM`` and a line of word and values for each word, whole or not at all.

    Words that hold a line end have no place in this format and are left out.

    Args:
        path: The file.
        words: The words.
        vectors: Their vectors, ``(words, dim)``.

    Raises:
        LexigraftError: The file cannot be written.
    """
    kept = [n for n, word in enumerate(words) if word and not {"\n", "\r"} & set(word)]
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.write(f"{len(kept)} {vectors.shape[1]}\n")
        for n in kept:
            file.write(f"{words[n]} {' '.join(f'{value:.7g}' for value in vectors[n].tolist())}\n")
