"""The Unicode script (writing system) of a token."""

from __future__ import annotations

from lexigraft.core.data.cleaning.scripts import code_of
from lexigraft.core.tokenization.vocabulary import Vocabulary


def script(vocabulary: Vocabulary, i: int) -> str:
    """The script of a token's text, as :func:`script_of`; bytes of no whole UTF-8 character are left out."""
    return script_of(vocabulary.surfaces.texts[i].decode(errors="ignore"))


def script_of(text: str) -> str:
    """The script of the first character that belongs to one, such as ``Latin`` or ``Han``; ``""`` where none does.

    Source: the Script property of Unicode Standard Annex 24.
    """
    from fontTools.unicodedata import script_name

    code = next(filter(None, map(code_of, text)), None)
    return str(script_name(code)) if code else ""
