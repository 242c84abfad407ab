"""Transliterators by name: uroman (Hermjakob et al. 2018) and ICU."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, lru_cache
from importlib.metadata import version
from typing import Any, Literal

from lexigraft.core.errors import LexigraftError

Transliterator = Literal["uroman", "icu"]
Transliterate = Callable[[str], str]

ANY_TO_LATIN = "Any-Latin; Latin-ASCII"
_PACKAGES = {"uroman": "uroman", "icu": "PyICU"}
_CACHED = 2**16


@cache
def transliterator(name: Transliterator, language: str | None = None) -> Transliterate:
    """A function that writes text in Latin letters without diacritics; repeated texts are looked up.

    Args:
        name: ``uroman``, or ``icu``.
        language: What the rules of one language are asked by: for uroman an ISO 639-3 code such as ``hin``, for ICU an
            identifier of transforms such as ``Hindi-Latin; Latin-ASCII``. By default the rules of the script.

    Returns:
        The function.

    Raises:
        LexigraftError: The package is not installed, or knows no such language.
    """
    return lru_cache(_CACHED)(_uroman(language) if name == "uroman" else _icu(language or ANY_TO_LATIN))


def transliterator_version(name: Transliterator) -> str:
    """The package of a transliterator with its version, which decides what it writes."""
    return f"{_PACKAGES[name]} {version(_PACKAGES[name])}"


def refuse_unchanged(changed: bool, name: str, language: str | None) -> None:
    """Refuse a transliteration that left all of a text as it was.

    Args:
        changed: Whether any line is another one.
        name: The transliterator.
        language: The language that its rules were asked by.

    Raises:
        LexigraftError: Nothing changed.
    """
    if not changed:
        hint = "It is in plain Latin letters already, or in a script that this transliterator does not know"
        raise LexigraftError(
            "transliteration leaves the text as it is", name if language is None else f"{name}, {language}", hint
        )


def _uroman(language: str | None) -> Transliterate:
    if language is not None and not re.fullmatch("[a-z]{3}", language):
        raise LexigraftError("uroman knows languages by ISO 639-3 codes", language, "Three letters, such as hin or rus")
    romanizer = _romanizer()
    return lambda text: str(romanizer.romanize_string(text, lcode=language))


@cache
def _romanizer() -> Any:
    try:
        import uroman
    except ModuleNotFoundError:
        hint = "pip install 'lexigraft[uroman]', or use the transliterator 'icu'"
        raise LexigraftError("transliteration needs the package uroman", hint=hint) from None
    return uroman.Uroman()


def _icu(transforms: str) -> Transliterate:
    try:
        import icu
    except ModuleNotFoundError:
        hint = "pip install 'lexigraft[icu]', or use the transliterator 'uroman'"
        raise LexigraftError("transliteration needs the package PyICU", hint=hint) from None
    try:
        transform = icu.Transliterator.createInstance(transforms)
    except icu.ICUError:
        hint = f"Such as '{ANY_TO_LATIN}'; see the transform identifiers of ICU"
        raise LexigraftError("ICU knows no such transliteration", transforms, hint) from None
    return lambda text: str(transform.transliterate(text))
