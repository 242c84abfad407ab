"""Filter of lines by a language identifier."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lexigraft.core.evaluation.language_identifier import LanguageIdentifier


class OtherLanguage:
    """Drops lines whose most likely language is another one, or whose language is not likely enough.

    Args:
        model: A supervised fastText model.
        language: One of its labels.
        min_probability: The least probability of the language.

    Raises:
        LexigraftError: No such model, or a language that it does not know.
    """

    reason = "other_language"

    def __init__(self, model: Path, language: str, min_probability: float = 0.0) -> None:
        self._identifier = LanguageIdentifier(model)
        self._language, self._least = self._identifier.require(language), min_probability

    def drops(self, lines: Sequence[str]) -> Sequence[bool]:
        """Which lines are in another language."""
        found = self._identifier.identify(lines, self._language)
        return [one.language != self._language or one.probability < self._least for one in found]
