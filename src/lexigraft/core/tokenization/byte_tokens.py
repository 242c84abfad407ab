"""Tokens of single bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lexigraft.core.tokenization.surface import SPACE_MARK, Family, Kind, to_byte_level

if TYPE_CHECKING:
    from lexigraft.core.tokenization.vocabulary import Vocabulary


def byte_tokens(vocabulary: Vocabulary) -> dict[int, int]:
    """The token of each byte value: a byte-fallback piece, or a letter of the byte-level alphabet.

    The space is the token that writes it as a mark or as itself, where there is one, because these vocabularies write a
    space so.

    Args:
        vocabulary: Any vocabulary; one without byte tokens has none.

    Returns:
        Ids by byte value; byte values without a token are left out.
    """
    byte_level = vocabulary.family in (Family.BYTE_LEVEL, Family.BYTE_LEVEL_SUFFIX)
    names = {b: to_byte_level(bytes([b])) if byte_level else f"<0x{b:02X}>" for b in range(256)}
    wanted = Kind.TEXT if byte_level else Kind.BYTE
    by_byte = {b: i for b, name in names.items() if (i := vocabulary.id_of(name)) is not None}
    usable = {b: i for b, i in by_byte.items() if vocabulary.surfaces.kinds[i] == wanted}
    space = vocabulary.id_of(SPACE_MARK if vocabulary.family is Family.SENTENCEPIECE else " ")
    if usable and not byte_level and space is not None and vocabulary.surfaces.kinds[space] == Kind.TEXT:
        usable[ord(" ")] = space
    return usable
