"""Word vectors trained with fastText."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lexigraft.adapters.vectors.files import mean_vectors
from lexigraft.core.config.recipe import WordVectorSettings
from lexigraft.core.data.corpus import Corpus
from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.resources import WordSpace
from lexigraft.core.utils.array_cache import Arrays, cached_arrays

CACHE_FORMAT = 1
NGRAM = 5
NEGATIVES = 10
MOST_BUCKETS = 2_000_000
INNER = frozenset("'’-")
LINE_END = "</s>"
Rows = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Trained:
    """Trained vectors of words, and of character n-grams for words that are unknown.

    Attributes:
        words: The words, most frequent first.
        vectors: Their vectors, float32, ``(words, dim)``.
        counts: How often each occurs, int64, ``(words,)``.
        ngrams: The character n-grams of the words, with their edges marked ``<`` and ``>``.
        ngram_vectors: Their vectors, float32, ``(ngrams, dim)``.
    """

    words: Sequence[str]
    vectors: Rows
    counts: npt.NDArray[np.int64]
    ngrams: Sequence[str]
    ngram_vectors: Rows

    def space(self) -> WordSpace:
        """A word space that builds vectors of unknown strings from n-grams."""
        import torch

        index_of = {word: n for n, word in enumerate(self.words)}
        known = {ngram: n for n, ngram in enumerate(self.ngrams)}

        def spell(texts: Sequence[str]) -> Rows:
            vectors = np.zeros((len(texts), self.vectors.shape[1]), np.float32)
            for n, text in enumerate(texts):
                if text in index_of:
                    vectors[n] = self.vectors[index_of[text]]
                elif found := [known[ngram] for ngram in ngrams_of(text) if ngram in known]:
                    vectors[n] = self.ngram_vectors[found].mean(axis=0, dtype=np.float32)
            return vectors

        return WordSpace(tuple(self.words), torch.from_numpy(self.vectors), self.counts, spell)


def train_words(corpus: Corpus, settings: WordVectorSettings, cache: Path) -> WordSpace:
    """Train word vectors on a text, or take them from the cache.

    CBOW, 10 negatives, character n-grams of length 5, as WECHSEL's own training; one thread (the default) gives the
    same vectors every time. The vector of an unknown string is the mean over those of its n-grams that occurred
    (fastText would average in the random starting values of the others).

    Args:
        corpus: The text.
        settings: Dimension, epochs, minimum count, threads.
        cache: Folder for the finished vectors, keyed by corpus and settings.

    Raises:
        LexigraftError: No word occurs often enough, or training ended in values that are not finite.
    """
    options = settings.model_dump(include={"dim", "epochs", "min_count", "threads"})
    content = json.dumps([CACHE_FORMAT, corpus.hash, options], sort_keys=True)
    path = cache / f"words-{hashlib.sha256(content.encode()).hexdigest()[:32]}.npz"
    trained = cached_arrays(
        path, lambda: _train(corpus, options), _to_arrays, lambda arrays: _from_arrays(arrays, settings.dim)
    )
    return trained.space()


def words_of(line: str) -> Iterator[str]:
    """The words of a line: white space separates them, and punctuation stands alone.

    An apostrophe or a hyphen between two characters of a word belongs to it, and so do combining marks.
    """
    for chunk in line.split():
        if chunk.isalnum():
            yield chunk
            continue
        start = 0
        for n, character in enumerate(chunk):
            inside = character in INNER and 0 < n < len(chunk) - 1 and _joins(chunk[n - 1]) and _joins(chunk[n + 1])
            if not inside and not _joins(character):
                yield from filter(None, (chunk[start:n], character))
                start = n + 1
        if start < len(chunk):
            yield chunk[start:]


def _joins(character: str) -> bool:
    return unicodedata.category(character)[0] not in "PS"


def ngrams_of(word: str) -> list[str]:
    """fastText's character n-grams of a word, whose edges are marked."""
    marked = f"<{word}>"
    return [marked[n : n + NGRAM] for n in range(len(marked) - NGRAM + 1)]


def _train(corpus: Corpus, options: Mapping[str, Any]) -> Trained:
    import fasttext

    counted: Counter[str] = Counter()
    handle, name = tempfile.mkstemp(prefix="lexigraft-", suffix=".txt")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            for line in corpus.lines:
                words = list(words_of(line))
                counted.update(words)
                file.write(" ".join(words) + "\n")
        often = [word for word, count in counted.items() if count >= options["min_count"]]
        ngrams = sorted({ngram for word in often for ngram in ngrams_of(word)})
        model = fasttext.train_unsupervised(
            name,
            model="cbow",
            dim=options["dim"],
            neg=NEGATIVES,
            epoch=options["epochs"],
            minCount=options["min_count"],
            minn=NGRAM,
            maxn=NGRAM,
            bucket=min(MOST_BUCKETS, 4 * len(ngrams) + 1),
            thread=options["threads"],
            verbose=0,
        )
    except (ValueError, RuntimeError) as error:
        raise LexigraftError("fastText training failed", str(error), "Give more text or a lower min_count") from None
    except OSError as error:
        raise LexigraftError("cannot write the text's words", name, error.strerror or str(error)) from None
    finally:
        Path(name).unlink(missing_ok=True)
    words, counts = model.get_words(include_freq=True)
    kept = [n for n, word in enumerate(words) if word != LINE_END]
    names = [words[n] for n in kept]
    vectors = mean_vectors(model, names)
    ids = [model.get_subword_id(ngram) for ngram in ngrams]
    ngram_vectors = np.asarray(model.get_input_matrix(), np.float32)[np.array(ids, np.int64)]
    if not kept or not (np.isfinite(vectors).all() and np.isfinite(ngram_vectors).all()):
        raise LexigraftError("no usable word vectors came out", f"{len(kept)} words", "Give more text or fewer epochs")
    return Trained(names, vectors, np.asarray(counts, np.int64)[kept], ngrams, ngram_vectors)


def _to_arrays(trained: Trained) -> Arrays:
    """Strings are joined by line ends, which no word holds: an array of strings pads each one to the longest."""
    words, ngrams = (np.frombuffer("\n".join(s).encode(), np.uint8) for s in (trained.words, trained.ngrams))
    return {
        "words": words,
        "vectors": trained.vectors,
        "counts": trained.counts,
        "ngrams": ngrams,
        "ngram_vectors": trained.ngram_vectors,
    }


def _from_arrays(arrays: Arrays, dim: int) -> Trained:
    words, ngrams = (arrays[name].tobytes().decode().split("\n") for name in ("words", "ngrams"))
    ngrams = [n for n in ngrams if n]
    shapes = [arrays[name].shape for name in ("vectors", "counts", "ngram_vectors")]
    if shapes != [(len(words), dim), (len(words),), (len(ngrams), dim)]:
        raise ValueError(f"arrays of the shapes {shapes}")
    return Trained(words, arrays["vectors"], arrays["counts"], ngrams, arrays["ngram_vectors"])
