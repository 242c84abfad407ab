"""Static vectors of the target tokens."""

from __future__ import annotations

import hashlib
import json
import math
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from lexigraft.adapters.vectors.files import read_vectors, require_finite, word_vectors
from lexigraft.core.config.recipe import VectorSettings
from lexigraft.core.data.corpus import Corpus
from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.resources import StaticVectors
from lexigraft.core.linalg.all_but_the_top import all_but_the_top
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.tokenization.word_cache import WordCache
from lexigraft.core.utils.array_cache import Arrays, cached_arrays

CACHE_FORMAT = 1
VECTOR_PRESETS: Mapping[str, Mapping[str, Any]] = {
    "lexigraft": {"dim": 300, "min_count": 1, "char_ngrams": (0, 0)},
    "focus": {"dim": 100, "min_count": 10, "char_ngrams": (3, 6), "epochs": 3},
}
ENOUGH_TOKENS, FEWEST_EPOCHS, MOST_EPOCHS = 3_000_000, 3, 20
"""Tokens that fastText is to see in all epochs, and the epochs that it has at least and at most."""
ESCAPE = "\ue000"
UNSAFE = frozenset(f" \n\r\t\v\f\0{ESCAPE}")


def train_target_vectors(
    corpus: Corpus, vocabulary: Vocabulary, settings: VectorSettings, cache: Path
) -> StaticVectors:
    """Train fastText CBOW vectors on the corpus as the target tokenizer splits it, or take them from the cache.

    One thread (the default) gives the same vectors every time (fastText draws from its own fixed seed). Tokens seen
    fewer than ``min_count`` times are absent.
    Source: the token-level auxiliary space of FOCUS (Dobler and de Melo 2023, section 3.2).

    Args:
        corpus: Target text.
        vocabulary: The target vocabulary.
        settings: Dimension, epochs, negatives, minimum count, character n-grams; fields win over the preset.
        cache: Folder for the finished vectors, keyed by corpus, tokenizer and settings.

    Returns:
        Vectors ``(target, dim)`` with the tokens that have one.

    Raises:
        LexigraftError: No token occurs often enough, or training ended in values that are not finite.
    """
    options = resolved(settings, corpus, vocabulary)
    content = json.dumps([CACHE_FORMAT, corpus.hash, vocabulary.hash, options], sort_keys=True)
    key = hashlib.sha256(content.encode()).hexdigest()
    origin = {**options, "corpus": corpus.hash, "tokenizer": vocabulary.hash, "key": key}
    path = cache / f"vectors-{key[:32]}.npz"

    def make() -> npt.NDArray[np.float32]:
        names = [escaped(t) for t in vocabulary.tokens]
        vectors = word_vectors(_trained(corpus, vocabulary, names, options), names, subwords=False)
        require_finite(vectors, path)
        if not _present(vectors).any():
            raise LexigraftError(
                "no token got a vector", f"min_count {options['min_count']}", "Give more text or a lower min_count"
            )
        return vectors

    def to_arrays(vectors: npt.NDArray[np.float32]) -> Arrays:
        present = _present(vectors)
        tokens = np.array([vocabulary.tokens[i] for i in np.flatnonzero(present)], dtype=np.str_)
        return {"vectors": vectors[present], "tokens": tokens}

    def from_arrays(arrays: Arrays) -> npt.NDArray[np.float32]:
        vectors = np.zeros((vocabulary.size, int(options["dim"])), dtype=np.float32)
        ids = [vocabulary.id_of(token) for token in arrays["tokens"].tolist()]
        vectors[np.array(ids, dtype=np.int64)] = arrays["vectors"]  # an unknown token is None, which is no int64
        return vectors

    vectors = cached_arrays(path, make, to_arrays, from_arrays)
    return _static(vectors, _present(vectors), origin)


def load_vectors(path: Path, vocabulary: Vocabulary, level: Literal["token", "word"] = "token") -> StaticVectors:
    """Read vectors of the target tokens from a file.

    Args:
        path: A fastText .bin, a text .vec (or .vec.gz) with a header line, or an .npz with ``vectors`` and ``tokens``.
        vocabulary: The target vocabulary.
        level: ``token`` looks the token's own string up; ``word`` its text without the word-start mark (a .bin builds
            unknown words from character n-grams). A fragment of a UTF-8 character has no text, so no vector.

    Returns:
        Vectors ``(target, dim)``; zero vectors count as absent (FOCUS's rule).

    Raises:
        LexigraftError: The file is missing, damaged, of another kind, or knows none of the tokens.
    """
    path = Path(path).expanduser()
    names = list(vocabulary.tokens) if level == "token" else [_text_of(t) for t in vocabulary.surfaces.texts]
    asked = [escaped(n) for n in names] if path.suffix == ".bin" and level == "token" else names
    vectors = read_vectors(path, asked, subwords=level == "word")
    present = _present(vectors)
    if not present.any():
        hint = "Check the level (token or word) and that the vectors were made with this tokenizer"
        raise LexigraftError("no token of the vocabulary has a vector", path, hint)
    return _static(vectors, present, {"file": str(path), "level": level})


def without_common_parts(vectors: StaticVectors, directions: int | None) -> StaticVectors:
    """Vectors after all-but-the-top over the tokens that have one; as they are where ``directions`` is None.

    Args:
        vectors: Of the target tokens.
        directions: How many principal directions go; 0 only centers.
    """
    if directions is None:
        return vectors
    import torch

    rows, here = torch.zeros_like(vectors.vectors), torch.from_numpy(vectors.present)
    rows[here] = all_but_the_top(vectors.vectors[here], directions)
    return StaticVectors(rows, vectors.present, {**vectors.origin, "all_but_the_top": directions})


def resolved(settings: VectorSettings, corpus: Corpus, vocabulary: Vocabulary) -> dict[str, Any]:
    """fastText's options: the preset's values where a field is not set, and epochs by the size of the text."""
    fields = settings.model_dump(include={"negatives", "threads"})
    overrides = {name: getattr(settings, name) for name in ("dim", "min_count", "char_ngrams", "epochs")}
    options = {**VECTOR_PRESETS[settings.preset], **fields, **{k: v for k, v in overrides.items() if v is not None}}
    return options if "epochs" in options else options | {"epochs": _epochs(corpus, vocabulary)}


def _epochs(corpus: Corpus, vocabulary: Vocabulary) -> int:
    """Epochs in which fastText sees `ENOUGH_TOKENS`; no more text is tokenized than decides it."""
    tokens = 0
    for start in range(0, len(corpus.lines), 1000):
        tokens += sum(map(len, vocabulary.encode(corpus.lines[start : start + 1000])))
        if tokens * FEWEST_EPOCHS >= ENOUGH_TOKENS:
            return FEWEST_EPOCHS
    return min(MOST_EPOCHS, math.ceil(ENOUGH_TOKENS / tokens)) if tokens else FEWEST_EPOCHS


def escaped(token: str) -> str:
    """A token as one fastText word: white space and the empty token are spelled out."""
    if not token:
        return ESCAPE
    if UNSAFE.isdisjoint(token):
        return token
    return "".join(f"{ESCAPE}{ord(c):x};" if c in UNSAFE else c for c in token)


def tokenized_lines(lines: Iterable[str], vocabulary: Vocabulary, names: Sequence[str]) -> Iterator[str]:
    """Each line as the names of its tokens with spaces between and a line end; some lines at a time."""
    spaced = [f" {name}" for name in names]

    def form(ids: list[int], begins: bool) -> str:
        text = "".join([spaced[i] for i in ids])
        # A line brings its own end, before its first token, where other tokens have a space.
        return f"\n{text[1:]}" if begins else text

    def together(words: Sequence[str], counts: Sequence[int]) -> str:
        return "".join(words)[1:] + "\n"

    yield from WordCache(vocabulary.tokenizer.backend_tokenizer, form, together).stream(lines)


def _trained(corpus: Corpus, vocabulary: Vocabulary, names: Sequence[str], options: Mapping[str, Any]) -> Any:
    import fasttext

    shortest, longest = options["char_ngrams"]
    handle, name = tempfile.mkstemp(prefix="lexigraft-", suffix=".txt")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.writelines(tokenized_lines(corpus.lines, vocabulary, names))
            file.flush()
            os.fsync(file.fileno())
        return fasttext.train_unsupervised(
            name,
            model="cbow",
            dim=options["dim"],
            neg=options["negatives"],
            epoch=options["epochs"],
            minCount=options["min_count"],
            minn=shortest,
            maxn=longest,
            thread=options["threads"],
            verbose=0,
        )
    except (ValueError, RuntimeError) as error:
        raise LexigraftError("fastText training failed", str(error), "Give more text or a lower min_count") from None
    except OSError as error:
        raise LexigraftError("cannot write the tokenised corpus", name, error.strerror or str(error)) from None
    finally:
        Path(name).unlink(missing_ok=True)


def _present(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    return np.any(vectors, axis=1)


def _static(
    vectors: npt.NDArray[np.float32], present: npt.NDArray[np.bool_], origin: Mapping[str, Any]
) -> StaticVectors:
    import torch

    return StaticVectors(torch.from_numpy(vectors), present, origin)


def _text_of(surface: bytes) -> str:
    try:
        return surface.decode().strip()
    except UnicodeDecodeError:
        return ""
