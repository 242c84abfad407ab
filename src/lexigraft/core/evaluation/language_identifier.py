"""Language identification by a supervised fastText model that the user gives, such as GlotLID."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lexigraft.core.errors import LexigraftError, did_you_mean
from lexigraft.core.utils.lfs import refuse_pointers

PREFIX = "__label__"
_MAGIC, _SUPERVISED = 793712314, 3
_HEADER = struct.Struct("<2i12i")


class Identified(NamedTuple):
    """What a text was identified as.

    Attributes:
        language: The most likely language.
        probability: That of the wanted language.
    """

    language: str
    probability: float


class LanguageIdentifier:
    """A fastText model whose labels are languages.

    Source: Joulin et al. 2017 (fastText); Kargaran et al. 2023 (GlotLID).

    Args:
        path: The model's file.

    Attributes:
        languages: Its labels without ``__label__``.

    Raises:
        LexigraftError: No fastText model, one of word vectors, or a damaged one.
    """

    def __init__(self, path: str | Path) -> None:
        import fasttext

        _refuse_other_files(Path(path))
        try:
            self._model: Any = fasttext.load_model(str(path))
            labels = self._model.get_labels()
        except (ValueError, RuntimeError, MemoryError) as error:
            raise LexigraftError("fastText model cannot be read", path, str(error)) from None
        self.languages = tuple(label.removeprefix(PREFIX) for label in labels)
        settings, words = self._model.f.getArgs(), len(self._model.get_words(on_unicode_error="replace"))
        values = settings.dim * (settings.bucket + words + len(labels))
        if not self._model.f.isQuant() and Path(path).stat().st_size < 4 * values:
            # fastText reads a file that ends too early without a word, and then gives any labels.
            raise LexigraftError("fastText model is cut off", path, "Fetch it again")

    def require(self, language: str) -> str:
        """The language's label without ``__label__``.

        Raises:
            LexigraftError: The model does not know the language.
        """
        name = language.removeprefix(PREFIX)
        if name not in self.languages:
            hint = did_you_mean(name, self.languages) if len(name) > 1 and len(self.languages) < 10_000 else ""
            raise LexigraftError("the language identifier does not know this language", language, hint[:300])
        return name

    def identify(self, texts: Sequence[str], wanted: str) -> list[Identified]:
        """Identify the language of each text; white space within it is read as spaces.

        Args:
            texts: The texts, none of them empty.
            wanted: The language whose probability is asked for.
        """
        found = []
        for text in texts:
            labels, values = self._model.predict(" ".join(text.split()), k=-1)
            chances = {label.removeprefix(PREFIX): float(p) for label, p in zip(labels, values, strict=True)}
            # fastText's sums of float32 come out a little above 1.
            found.append(Identified(max(chances, key=chances.__getitem__), min(1.0, chances[wanted])))
        return found


def _refuse_other_files(path: Path) -> None:
    """Refuse what fastText's own reader might crash on: files of another kind."""
    refuse_pointers([path])
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER.size)
    except OSError as error:
        raise LexigraftError("cannot read the file", path, error.strerror or str(error)) from None
    values = _HEADER.unpack(header) if len(header) == _HEADER.size else (0,)
    if values[0] != _MAGIC:
        raise LexigraftError("not a fastText model", path, "Give a .bin or .ftz file, such as GlotLID's model.bin")
    if values[2 + 7] != _SUPERVISED:
        hint = "Give a supervised model, such as GlotLID's model.bin"
        raise LexigraftError("this fastText model holds word vectors and identifies nothing", path, hint)
