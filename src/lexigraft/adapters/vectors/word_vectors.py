"""Word vectors of both languages."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lexigraft.adapters.vectors.fasttext_bin import FastTextFile
from lexigraft.adapters.vectors.files import read_arrays, require_finite, vector_lines
from lexigraft.adapters.vectors.word_training import LINE_END, train_words
from lexigraft.core.config.recipe import WordVectorSettings
from lexigraft.core.data.corpus import Corpus
from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.resources import WordSpace, WordVectors
from lexigraft.core.utils.hashing import file_hash

UNREADABLE = "\ufffd"
_OF_A_LANGUAGE = re.compile(r"([a-z]{3}):(.+)", re.DOTALL)
_UNMARKED = "eng"
_BOUNDARY = "$"
Read = Callable[[str], str | None]


def word_vectors(
    settings: WordVectorSettings, source_text: Corpus | None, target_text: Corpus | None, cache: Path
) -> WordVectors:
    """Word vectors of both languages, from the files that the settings name or trained on both texts.

    Args:
        settings: The files, or how to train.
        source_text: Source-language text; needed without files.
        target_text: Target text; needed without files.
        cache: Folder for trained vectors, cached by content.

    Raises:
        LexigraftError: A file that cannot be used, vectors of two widths that should share one space, or too little
            text.
    """
    if settings.source is None or settings.target is None:
        assert source_text is not None
        assert target_text is not None
        source, target = (train_words(text, settings, cache) for text in (source_text, target_text))
        origin = {"trained": settings.model_dump(mode="json"), "source": source_text.hash, "target": target_text.hash}
        return WordVectors(source, target, False, origin)
    source, target = (read_words(name, settings.limit_words) for name in (settings.source, settings.target))
    widths = source.vectors.shape[1], target.vectors.shape[1]
    if settings.shared and widths[0] != widths[1]:
        raise LexigraftError(
            "word vectors of two widths cannot lie in one space",
            f"{settings.source}: {widths[0]}, {settings.target}: {widths[1]}",
            "Give two files of one space, or leave shared out and align them with a dictionary",
        )
    hashes = {side: words_content(name) for side, name in (("source", settings.source), ("target", settings.target))}
    return WordVectors(source, target, settings.shared, hashes)


def words_content(name: str) -> str:
    """Content key of a file of word vectors: its hash with the languages that are taken from it, never a path."""
    path, languages = _with_languages(name)
    return file_hash(_existing(path)) + "".join(f"#{language}" for language in languages)


def read_words(name: str, limit: int | None = None) -> WordSpace:
    """Read one language's word vectors.

    Args:
        name: A fastText .bin (words are spelled from its character n-grams too), a text .vec or .vec.gz with a header
            line, or an .npz with ``words`` (or ``tokens``), ``vectors`` and perhaps ``counts``. ``FILE#swh`` takes one
            language out of a .vec or .npz whose words are written ``swh:word``, as in ColexNet+: words without a
            language are English, ``$`` at a word's edge is left out, ``FILE#eng,swh`` takes several, ``FILE#*`` all.
        limit: Read at most so many words, the first.

    Returns:
        Words in the file's order, most frequent first.

    Raises:
        LexigraftError: The file is missing, damaged, of another kind, or holds no word of the language.
    """
    path, languages = _with_languages(name)
    _existing(path)
    keep = _word_filter(languages) if languages else lambda key: key
    if path.suffix == ".bin" and not languages:
        return _fasttext(path, limit)
    if path.suffix == ".npz":
        space = _npz(path, keep, limit)
    elif ".vec" in path.suffixes[-2:]:
        space = _text(path, keep, limit)
    else:
        hint = "Give a fastText .bin, a text .vec or .vec.gz, or an .npz"
        if path.suffix == ".bin":
            hint = "Only .vec and .npz files hold several languages"
        elif path.suffix in (".wv", ".kv", ".model"):
            hint = "gensim's own files are pickles; save them with KeyedVectors.save_word2vec_format('NAME.vec')"
        raise LexigraftError("unknown kind of word vector file", name, hint)
    if not space.words:
        raise LexigraftError("file holds no word vector", name, "Check the file and the language after #")
    return space


def _with_languages(name: str) -> tuple[Path, tuple[str, ...]]:
    """``FILE#eng,swh`` as a path and languages; a file whose name holds a ``#`` is taken as it stands."""
    path, _, languages = name.rpartition("#")
    if not path or Path(name).expanduser().is_file():
        return Path(name).expanduser(), ()
    return Path(path).expanduser(), tuple(sorted(filter(None, languages.split(","))))


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise LexigraftError("word vectors not found", path, "Give a .bin, .vec or .npz file")
    return path


def _word_filter(languages: Sequence[str]) -> Read:
    """A function from a key to its word, ``None`` where the key is of none of the languages."""

    def word(key: str) -> str | None:
        marked = _OF_A_LANGUAGE.fullmatch(key)
        language, text = marked.groups() if marked else (_UNMARKED, key)
        return text.strip(_BOUNDARY) or None if language in languages or "*" in languages else None

    return word


def _fasttext(path: Path, limit: int | None) -> WordSpace:
    model = FastTextFile(path)
    words = [word.decode(errors="replace") for word in model.words]
    kept = [n for n, word in enumerate(words) if word != LINE_END and UNREADABLE not in word][:limit]
    names = [words[n] for n in kept]
    vectors = model.means(names)
    require_finite(vectors, path)
    return _space(names, vectors, model.counts[kept], model.means)


def _npz(path: Path, keep: Read, limit: int | None) -> WordSpace:
    keys, vectors, counts = read_arrays(path)
    words = [keep(key) for key in keys]
    kept = [n for n, word in enumerate(words) if word]
    if counts is not None:
        kept.sort(key=lambda n: -counts[n])
    kept = kept[:limit]
    return _space([str(words[n]) for n in kept], vectors[kept], None if counts is None else counts[kept])


def _text(path: Path, keep: Read, limit: int | None) -> WordSpace:
    return _space(*vector_lines(path, keep, limit))


def _space(words: Sequence[str], vectors: npt.NDArray[np.float32], counts: Any = None, spell: Any = None) -> WordSpace:
    import torch

    return WordSpace(tuple(words), torch.from_numpy(vectors), counts, spell)
