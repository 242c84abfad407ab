"""Bytes, word start and kind of each token."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

SPACE_MARK = "▁"
_BYTE_PIECE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_UNUSED = re.compile(r"\[unused\d+\]")


class Kind(IntEnum):
    """What a token is: text (or a fragment of it), a byte-fallback piece, a special token, or nothing usable."""

    TEXT = 0
    BYTE = 1
    SPECIAL = 2
    UNUSABLE = 3


class Family(StrEnum):
    """How a tokenizer writes bytes and word starts into its token strings."""

    BYTE_LEVEL = "byte_level"
    SENTENCEPIECE = "sentencepiece"
    WORDPIECE = "wordpiece"
    SUFFIX = "suffix"
    BYTE_LEVEL_SUFFIX = "byte_level_suffix"
    PLAIN = "plain"
    LITERAL = "literal"


UNMARKED = (Family.SUFFIX, Family.BYTE_LEVEL_SUFFIX, Family.PLAIN)
"""Families whose token strings do not say where words start."""


@dataclass(frozen=True)
class Surfaces:
    """The surfaces of a whole vocabulary, by token id.

    Attributes:
        texts: Bytes without the marks of word starts and ends, one entry for each id.
        starts: Whether the token starts a word, bool, shape ``(size,)``. Where only word ends are marked, a token that
            ends a word is taken for a whole word.
        ends: Whether the token ends a word: 1 it does, 0 it does not, -1 its string does not say; int8, as ``starts``.
        isolated: Whether the pre-tokenizer always splits the token off, so that ``starts`` says nothing, as ``starts``.
        kinds: :class:`Kind` of each token, int8, shape ``(size,)``.
    """

    texts: tuple[bytes, ...]
    starts: npt.NDArray[np.bool_]
    ends: npt.NDArray[np.int8]
    isolated: npt.NDArray[np.bool_]
    kinds: npt.NDArray[np.int8]

    @property
    def is_text(self) -> npt.NDArray[np.bool_]:
        """Which tokens are text or a byte of it: neither special nor unusable; bool, shape ``(size,)``, a new array."""
        return (self.kinds == Kind.TEXT) | (self.kinds == Kind.BYTE)

    @property
    def edges(self) -> npt.NDArray[np.int8]:
        """What strings say of word edges, equal where two say the same: starts and, where they are marked, ends."""
        return np.where(self.ends < 0, self.starts, 2 + self.ends).astype(np.int8)


def byte_level_alphabet() -> dict[str, int]:
    """GPT-2's printable stand-in for each byte: ``character -> byte`` (Radford et al. 2019)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    alphabet = {chr(b): b for b in printable}
    hidden = [b for b in range(256) if b not in set(printable)]
    return alphabet | {chr(256 + n): b for n, b in enumerate(hidden)}


_TO_LATIN1 = {ord(c): chr(b) for c, b in byte_level_alphabet().items()}
_FROM_LATIN1 = {b: c for c, b in byte_level_alphabet().items()}


def to_byte_level(data: bytes) -> str:
    """Bytes in GPT-2's printable alphabet."""
    return data.decode("latin-1").translate(_FROM_LATIN1)


def component(part: Any) -> Any:
    """The JSON description of a normalizer, pre-tokenizer or decoder (``None`` where there is none)."""
    return None if part is None else json.loads(part.__getstate__())


def _mentions(description: Any, name: str) -> bool:
    if isinstance(description, Mapping):
        return any(_mentions(v, name) for v in description.values())
    if isinstance(description, list):
        return any(_mentions(v, name) for v in description)
    return bool(description == name)


def family_of(backend: Any) -> Family:
    """The family of a ``tokenizers.Tokenizer``, by its own parts, never by its token strings or class name."""
    parts = [component(backend.pre_tokenizer), component(backend.decoder), component(backend.normalizer)]
    byte_level = _mentions(parts, "ByteLevel")
    if getattr(backend.model, "end_of_word_suffix", None):
        return Family.BYTE_LEVEL_SUFFIX if byte_level else Family.SUFFIX
    if byte_level:
        return Family.BYTE_LEVEL
    if type(backend.model).__name__ == "WordPiece":
        return Family.WORDPIECE
    if _mentions(parts, "Metaspace") or _mentions(parts, SPACE_MARK):
        return Family.SENTENCEPIECE
    return Family.LITERAL if _reads_spaces(backend) else Family.PLAIN


def _reads_spaces(backend: Any) -> bool:
    """Whether spaces reach the model as they are, and it has a token for them."""
    pre, normalizer, model = backend.pre_tokenizer, backend.normalizer, backend.model
    text = normalizer.normalize_str("a b") if normalizer is not None else "a b"
    words = [w for w, _ in pre.pre_tokenize_str(text)] if pre is not None else [text]
    space = "<0x20>" if getattr(model, "byte_fallback", False) else " "
    return " " in "".join(words) and (model.token_to_id(space) is not None or model.token_to_id(" ") is not None)


def surfaces(
    tokens: Sequence[str],
    family: Family,
    *,
    special_ids: frozenset[int],
    added_ids: frozenset[int],
    isolates: bool = False,
    isolates_ideographs: bool = True,
    byte_fallback: bool = False,
    prefix: str = "##",
    suffix: str = "</w>",
) -> Surfaces:
    """Turn token strings into surfaces.

    Args:
        tokens: Token strings by id; an id that no token has holds the empty string.
        family: How the strings are written.
        special_ids: Ids of special tokens.
        added_ids: Ids of added tokens outside the model's own vocabulary, whose strings are plain text in every family.
        isolates: Whether the pre-tokenizer splits punctuation off (BERT's does); longer tokens that contain some, such
            as ``##,``, can then never occur and are unusable.
        isolates_ideographs: Whether CJK ideographs are split off as well, where punctuation is: BERT's normalizer does,
            unless it is told not to.
        byte_fallback: Whether the model falls back on byte pieces; SentencePiece's are known by their strings.
        prefix: WordPiece's mark of a word's continuation.
        suffix: The end-of-word mark of suffix-style BPE.

    Returns:
        One surface for each id.
    """
    marks_ends = family in (Family.SUFFIX, Family.BYTE_LEVEL_SUFFIX)
    texts, starts = _READERS[family](tokens, suffix if marks_ends else prefix)
    ends = starts.astype(np.int8) if marks_ends else np.full(len(tokens), -1, np.int8)
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    kinds = np.where((lengths > 0) | (starts & (ends < 0)), Kind.TEXT, Kind.UNUSABLE).astype(np.int8)
    isolated = np.zeros(len(tokens), np.bool_)
    if isolates:
        for i, token in enumerate(tokens):
            body = (token.removesuffix(suffix) if marks_ends else token.removeprefix(prefix)) or token
            if any(_is_sign(c) or (isolates_ideographs and _is_ideograph(c)) for c in body):
                # A sign is a word of its own, so it ends one where ends are marked.
                isolated[i] = len(body if marks_ends else token) == 1 and ends[i] != 0
                kinds[i] = kinds[i] if isolated[i] else Kind.UNUSABLE
    if family is Family.WORDPIECE:
        for i in [i for i, token in enumerate(tokens) if _UNUSED.fullmatch(token)]:
            kinds[i] = Kind.UNUSABLE
    if family is Family.SENTENCEPIECE or byte_fallback:
        for i in np.flatnonzero(lengths == len("<0x00>")).tolist():
            if tokens[i].startswith("<0x") and (piece := _BYTE_PIECE.fullmatch(tokens[i])):
                texts[i], starts[i], ends[i], kinds[i] = bytes([int(piece[1], 16)]), False, -1, Kind.BYTE
    # A tokenizer that writes spaces as marks decodes the mark of an added token, such as Gemma's "▁▁", to a space too.
    space_mark = SPACE_MARK if family is Family.SENTENCEPIECE else " "
    for i in added_ids:
        data = tokens[i].replace(space_mark, " ").encode()
        (texts[i], starts[i]), ends[i], kinds[i], isolated[i] = _split_space(data), -1, Kind.TEXT, False
    for i in special_ids:
        texts[i], starts[i], ends[i], kinds[i], isolated[i] = tokens[i].encode(), False, -1, Kind.SPECIAL, False
    return Surfaces(tuple(texts), starts, ends, isolated, kinds)


Read = tuple[list[bytes], npt.NDArray[np.bool_]]


def _split_space(data: bytes) -> tuple[bytes, bool]:
    return (data[1:], True) if data.startswith(b" ") else (data, False)


def _split_spaces(data: list[bytes]) -> Read:
    starts = [d.startswith(b" ") for d in data]
    return [d[1:] if start else d for d, start in zip(data, starts, strict=True)], np.array(starts, np.bool_)


def _read_byte_level(tokens: Sequence[str], _: str) -> Read:
    return _split_spaces([_from_byte_level(token) for token in tokens])


def _from_byte_level(token: str) -> bytes:
    try:
        return token.translate(_TO_LATIN1).encode("latin-1")
    except UnicodeEncodeError:
        return token.encode()


def _read_sentencepiece(tokens: Sequence[str], _: str) -> Read:
    # One string for all tokens is several times as fast, unless a token contains the separator.
    joined = "\0".join(["", *tokens]).replace(SPACE_MARK, " ").encode()
    texts = joined.replace(b"\0 ", b"\0").split(b"\0")[1:]
    if len(texts) != len(tokens):
        return _split_spaces([token.replace(SPACE_MARK, " ").encode() for token in tokens])
    codes = np.frombuffer(joined + b"\0", np.uint8)
    return texts, codes[np.flatnonzero(codes == 0)[:-1] + 1] == ord(" ")


def _read_wordpiece(tokens: Sequence[str], prefix: str) -> Read:
    inside = [token.startswith(prefix) and len(token) > len(prefix) for token in tokens]
    texts = [(t[len(prefix) :] if within else t).encode() for t, within in zip(tokens, inside, strict=True)]
    return texts, np.array([bool(t) and not within for t, within in zip(tokens, inside, strict=True)], np.bool_)


def _read_suffix(tokens: Sequence[str], suffix: str) -> Read:
    ended = np.array([token.endswith(suffix) for token in tokens], np.bool_)
    return [token.removesuffix(suffix).encode() for token in tokens], ended


def _read_byte_level_suffix(tokens: Sequence[str], suffix: str) -> Read:
    ended = np.array([token.endswith(suffix) for token in tokens], np.bool_)
    return [_from_byte_level(token.removesuffix(suffix)) for token in tokens], ended


def _read_plain(tokens: Sequence[str], _: str) -> Read:
    return [token.encode() for token in tokens], np.array([bool(token) for token in tokens], np.bool_)


def _read_literal(tokens: Sequence[str], _: str) -> Read:
    return _split_spaces([token.encode() for token in tokens])


_READERS: Mapping[Family, Callable[[Sequence[str], str], Read]] = {
    Family.BYTE_LEVEL: _read_byte_level,
    Family.SENTENCEPIECE: _read_sentencepiece,
    Family.WORDPIECE: _read_wordpiece,
    Family.SUFFIX: _read_suffix,
    Family.BYTE_LEVEL_SUFFIX: _read_byte_level_suffix,
    Family.PLAIN: _read_plain,
    Family.LITERAL: _read_literal,
}


def _is_sign(character: str) -> bool:
    """Whether BERT's pre-tokenizer takes this character for punctuation, and makes it a word of its own."""
    code = ord(character)
    ascii_symbol = code < 128 and not character.isalnum() and not character.isspace()
    return (ascii_symbol and 32 < code < 127) or unicodedata.category(character).startswith("P")


def _is_ideograph(character: str) -> bool:
    """Whether BERT's normalizer puts spaces around this character: a CJK ideograph."""
    code = ord(character)
    return (
        0x4E00 <= code <= 0x9FFF or 0x3400 <= code <= 0x4DBF or 0xF900 <= code <= 0xFAFF or 0x20000 <= code <= 0x2FA1F
    )
