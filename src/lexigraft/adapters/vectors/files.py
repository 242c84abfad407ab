"""Readers of vector files."""

from __future__ import annotations

import math
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt

from lexigraft.adapters.vectors.fasttext_bin import FastTextFile
from lexigraft.core.data.readers import numbered_lines
from lexigraft.core.errors import LexigraftError
from lexigraft.core.utils.lfs import refuse_pointers

BLOCK = 4096
MOST_DIM = 2**16
_NO_ZIP = (zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, RuntimeError)
"""What a damaged or encrypted zip file raises."""


def read_vectors(path: Path, names: Sequence[str], *, subwords: bool) -> npt.NDArray[np.float32]:
    """The vector of each name in a file.

    Args:
        path: A .bin, .vec, .vec.gz or .npz file.
        names: The words to look up; of text files only their lines are parsed.
        subwords: Whether a fastText model builds the vector of an unknown word from its character n-grams.

    Returns:
        ``(names, dim)``, of a .bin scaled to length 1; zero for a name that has no vector, and for the empty one.

    Raises:
        LexigraftError: The file is missing, of another kind, damaged, or holds values that are not finite.
    """
    if not path.is_file():
        raise LexigraftError("vectors not found", path, "Give a .bin, .vec or .npz file")
    refuse_pointers([path])
    if path.suffix == ".bin":
        found = FastTextFile(path).means(names, subwords=subwords)
        require_finite(found, path)
        found[[not name for name in names]] = 0  # n-grams of two characters hold the two marks of the empty word
        # The fastText build that trains vectors here scales its vectors to length 1 too.
        lengths = np.sqrt(np.einsum("ij,ij->i", found, found))[:, None]
        found /= np.where(lengths > 0, lengths, np.float32(1))
        return found
    if path.suffix == ".npz":
        return _picked(names, *read_npz(path))
    if ".vec" in path.suffixes[-2:]:
        wanted = frozenset(names)
        words, vectors = vector_lines(path, lambda word: word if word in wanted else None)
        return _picked(names, words[::-1], vectors[::-1])  # of a word that occurs twice, the first
    raise LexigraftError("unknown kind of vector file", path, "Give a fastText .bin, a text .vec, or an .npz")


def _picked(names: Sequence[str], words: Sequence[str], vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The vector of each name; zero where no word is the name, and for the empty name."""
    places = {word: i for i, word in enumerate(words) if word}
    ids = np.array([places.get(name, -1) for name in names], np.int64)
    found = np.zeros((len(names), vectors.shape[1]), np.float32)
    found[ids >= 0] = vectors[ids[ids >= 0]]
    return found


def read_npz(path: Path) -> tuple[list[str], npt.NDArray[np.float32]]:
    """Tokens and vectors of an .npz with the arrays ``tokens`` (strings) and ``vectors`` (tokens, dim).

    Args:
        path: The file.

    Returns:
        The tokens, and their vectors in float32, ``(tokens, dim)``.

    Raises:
        LexigraftError: The file is damaged, lacks an array, or holds values that are not finite.
    """
    tokens, vectors, _ = read_arrays(path)
    return tokens, vectors


def read_arrays(path: Path) -> tuple[list[str], npt.NDArray[np.float32], npt.NDArray[np.int64] | None]:
    """Names, vectors and counts of an .npz: ``tokens`` or ``words``, ``vectors``, and ``counts`` where it has them.

    Args:
        path: The file.

    Returns:
        The names, their vectors in float32, ``(names, dim)``, and how often each occurs, ``(names,)`` or ``None``.

    Raises:
        LexigraftError: The file is damaged, lacks an array, or holds values that are not finite.
    """
    refuse_pointers([path])
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            _refuse_larger_than_announced(arrays)
            names = arrays["words" if "words" in arrays else "tokens"].tolist()
            vectors = _numbers(arrays["vectors"], "fiu", np.float32)
            counts = _numbers(arrays["counts"], "iu", np.int64) if "counts" in arrays else None
    except (OSError, ValueError, TypeError, LookupError, EOFError, MemoryError, *_NO_ZIP) as error:
        hint = f"It must hold the arrays 'vectors' and 'tokens' ({error})"
        raise LexigraftError("vector file cannot be read", path, hint) from None
    if vectors.ndim != 2 or not _are_strings(names) or len(names) != len(vectors):
        raise LexigraftError(
            "vectors and tokens do not fit together", path, f"Vectors {vectors.shape}; one token, a string, for each"
        )
    if counts is not None and (counts.shape != (len(names),) or (counts < 0).any()):
        raise LexigraftError("counts and words do not fit together", path, "One count, not negative, for each word")
    require_finite(vectors, path)
    return names, vectors, counts


def _refuse_larger_than_announced(arrays: Any) -> None:
    """Refuse arrays whose headers announce more than the file holds, before numpy allocates what they announce."""
    for item in arrays.zip.infolist():
        if item.filename.removesuffix(".npy") not in ("tokens", "words", "vectors", "counts"):
            continue
        with arrays.zip.open(item) as member:
            version = np.lib.format.read_magic(member)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = read(member)
            if math.prod(shape) * dtype.itemsize > item.file_size - member.tell():
                raise ValueError(f"{item.filename} announces {shape} and holds {item.file_size:,} bytes")


def _are_strings(names: object) -> TypeGuard[list[str]]:
    return isinstance(names, list) and all(isinstance(name, str) for name in names)


def _numbers(array: npt.NDArray[Any], kinds: str, dtype: type[np.generic]) -> npt.NDArray[Any]:
    if array.dtype.kind not in kinds:
        raise ValueError(f"numbers of another kind: {array.dtype}")
    with np.errstate(over="ignore"):  # what overflows becomes infinite and is refused
        return np.asarray(array, dtype=dtype)


def require_finite(vectors: npt.NDArray[np.float32], where: object) -> None:
    """Refuse NaN and infinity.

    Args:
        vectors: Rows to check, ``(rows, dim)``.
        where: What the error names.

    Raises:
        LexigraftError: How many rows are affected.
    """
    if vectors.size and not np.isfinite([vectors.min(), vectors.max()]).all():
        bad = ~np.isfinite(vectors).all(axis=-1)
        hint = (
            f"{int(bad.sum())} of {bad.size} vectors hold NaN or infinity; train again with fewer epochs or more text"
        )
        raise LexigraftError("vectors are not finite", where, hint)


def mean_vectors(model: Any, strings: Sequence[str]) -> npt.NDArray[np.float32]:
    """fastText's vector of each string: the mean over the rows of the word itself and of its character n-grams.

    Some builds of fastText scale the vectors of ``get_word_vector`` to length 1, which changes means over words and
    maps between spaces; the rows themselves are the same in all of them.

    Args:
        model: A fastText model.
        strings: Words, known or not.

    Returns:
        float32, ``(strings, dim)``; zero for a string without known entry or n-gram.
    """
    found = np.zeros((len(strings), model.get_dimension()), np.float32)
    table = model.get_input_matrix()
    for start in range(0, len(strings), BLOCK):
        ids = [model.get_subwords(text)[1] for text in strings[start : start + BLOCK]]
        lengths = np.array([len(i) for i in ids])
        at = np.flatnonzero(lengths)
        if len(at):
            firsts = np.cumsum(lengths[at]) - lengths[at]
            sums = np.add.reduceat(table[np.concatenate([ids[n] for n in at])], firsts)
            found[start + at] = sums / lengths[at, None].astype(np.float32)
    return found


def word_vectors(model: Any, names: Sequence[str], *, subwords: bool) -> npt.NDArray[np.float32]:
    """fastText's own vector of each name (``get_word_vector``); some builds scale it to length 1.

    Args:
        model: A fastText model.
        names: Words, known or not.
        subwords: Whether the vector of an unknown word is built from its character n-grams.

    Returns:
        float32, ``(names, dim)``; zero for a word without a vector, and for the empty one.
    """
    import fasttext
    import torch

    known = frozenset(model.get_words(on_unicode_error="replace"))
    # numpy would ask for huge pages, and a system that has to make them takes longer than fastText with the answers.
    found: npt.NDArray[np.float32] = torch.zeros(len(names), model.get_dimension()).numpy()
    # model.get_word_vector makes a vector, and a copy of it, for each word.
    answer = fasttext.FastText.fasttext.Vector(model.get_dimension())
    values = np.asarray(answer)
    for i, name in enumerate(names):
        if name and (subwords or name in known):
            model.f.getWordVector(answer, name)
            found[i] = values
    return found


def vector_lines(
    path: Path, keep: Callable[[str], str | None], limit: int | None = None
) -> tuple[list[str], npt.NDArray[np.float32]]:
    """Words and vectors of a text file with a header line ``COUNT DIM``.

    Args:
        path: A .vec or .vec.gz file.
        keep: The word behind a line's first column; ``None`` leaves the line out, its numbers unread.
        limit: Stop after so many words.

    Returns:
        The words in the file's order (a word may occur twice), and their vectors, float32, ``(words, dim)``.

    Raises:
        LexigraftError: No header, a line that does not fit it, values that are no finite numbers, or too few lines.
    """
    lines = numbered_lines(path)
    rows, dim = _header(path, lines)
    words: list[str] = []
    blocks = [np.zeros((0, dim), np.float32)]
    block: list[npt.NDArray[np.float32]] = []
    number = 1
    for number, line in lines:
        key, *values = line.rstrip(" ").rsplit(" ", dim)
        if len(values) != dim:
            raise LexigraftError("vector has the wrong length", f"{path}, line {number}", f"{dim} values are expected")
        word = keep(key)
        if word is None:
            continue
        try:
            block.append(np.array(values, dtype=np.float32))
        except ValueError:
            raise LexigraftError("vector holds no numbers", f"{path}, line {number}", "Write it again") from None
        require_finite(block[-1][None], f"{path}, line {number}")
        words.append(word)
        if len(block) == BLOCK:
            blocks.append(np.stack(block))
            block.clear()
        if len(words) == limit:
            break
    else:
        if number - 1 != rows:
            raise LexigraftError("vector file is cut off", path, f"{rows} vectors announced, {number - 1} found")
    return words, np.concatenate([*blocks, np.array(block, np.float32).reshape(-1, dim)])


def _header(path: Path, lines: Iterator[tuple[int, str]]) -> tuple[int, int]:
    _, first = next(lines, (1, ""))
    parts = first.split()
    if len(parts) != 2 or not all(p.isascii() and p.isdigit() and len(p) < 16 for p in parts) or int(parts[1]) < 1:
        raise LexigraftError("vector file has no header", f"{path}, line 1", "The first line must be: COUNT DIM")
    rows, dim = map(int, parts)
    if dim > MOST_DIM:
        raise LexigraftError("vector file announces too long vectors", f"{path}: {dim}", f"At most {MOST_DIM:,} values")
    return rows, dim
