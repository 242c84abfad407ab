"""Vocabulary of a tokenizer: surfaces by id, specials by role, encoding, decomposition into pieces."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.special_tokens import roles_of
from lexigraft.core.tokenization.surface import (
    SPACE_MARK,
    Family,
    Kind,
    Surfaces,
    component,
    family_of,
    surfaces,
    to_byte_level,
)

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """A tokenizer's vocabulary, by token id.

    Attributes:
        tokenizer: The transformers tokenizer (fast: with a ``tokenizers`` backend).
        tokens: Token strings by id; an id that no token has holds the empty string.
        family: How the strings are written.
        surfaces: Bytes, word starts and kinds by id.
        specials: The id of each role the tokenizer fills.
        special_ids: Ids of all special tokens.
    """

    tokenizer: PreTrainedTokenizerFast
    tokens: tuple[str, ...]
    family: Family
    surfaces: Surfaces
    specials: Mapping[str, int]
    special_ids: frozenset[int]

    @classmethod
    def of(cls, tokenizer: Any) -> Vocabulary:
        """The vocabulary of a loaded tokenizer.

        Raises:
            LexigraftError: The tokenizer has no ``tokenizers`` backend, or no tokens.
        """
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if backend is None:
            raise LexigraftError(
                "tokenizer has no fast backend", type(tokenizer).__name__, "Convert it to a tokenizer.json first"
            )
        backend.no_truncation()
        backend.no_padding()
        tokens = _tokens_by_id(tokenizer)
        if not tokens:
            raise LexigraftError(
                "tokenizer holds no tokens", type(tokenizer).__name__, "Check the files it was loaded from"
            )
        added = tokenizer.added_tokens_decoder
        special_ids = frozenset(tokenizer.all_special_ids) | {i for i, t in added.items() if t.special}
        family = family_of(backend)
        model = backend.model
        token_surfaces = surfaces(
            tokens,
            family,
            special_ids=special_ids,
            # A word that was registered again under its old id still stands for what the model reads in it.
            added_ids=frozenset(i for i, t in added.items() if model.token_to_id(t.content) != i),
            isolates=_names(component(backend.pre_tokenizer), "BertPreTokenizer"),
            prefix=getattr(model, "continuing_subword_prefix", None) or "##",
            suffix=getattr(model, "end_of_word_suffix", None) or "</w>",
        )
        return cls(tokenizer, tuple(tokens), family, token_surfaces, roles_of(tokenizer), special_ids)

    @property
    def size(self) -> int:
        """The largest id plus one."""
        return len(self.tokens)

    @property
    def starts(self) -> npt.NDArray[np.bool_]:
        """Which tokens start a word, shape ``(size,)``."""
        return self.surfaces.starts

    @cached_property
    def hash(self) -> str:
        """SHA-256 of everything that decides how text becomes ids."""
        roles = ",".join(f"{role}={i}" for role, i in sorted(self.specials.items()))
        return hashlib.sha256(f"{self.tokenizer.backend_tokenizer.to_str()}|{roles}".encode()).hexdigest()

    @cached_property
    def byte_complete(self) -> bool:
        """Whether every byte has a token, so that no text is ever unknown."""
        if self.family is Family.BYTE_LEVEL:
            return True
        pieces = {t for t, k in zip(self.surfaces.texts, self.surfaces.kinds, strict=True) if k == Kind.BYTE}
        return len(pieces) == 256

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, without special tokens, in parallel."""
        backend = self.tokenizer.backend_tokenizer
        return [e.ids for e in backend.encode_batch_fast(list(texts), add_special_tokens=False)]

    def display(self, i: int) -> str:
        """Token ``i`` for people: readable text with a leading space mark where it starts a word."""
        if self.surfaces.kinds[i] in (Kind.SPECIAL, Kind.UNUSABLE) or self.family is not Family.BYTE_LEVEL:
            return self.tokens[i]
        try:
            text = self.surfaces.texts[i].decode()
        except UnicodeDecodeError:
            text = "".join(f"<0x{b:02X}>" for b in self.surfaces.texts[i])
        return (SPACE_MARK if self.starts[i] else "") + text

    def pieces(self, text: bytes, starts: bool) -> list[int]:
        """Split bytes into this vocabulary's tokens as inside running text: byte-exact, word start kept.

        Special and unknown pieces are left out. Nothing is decoded to U+FFFD, so a fragment of a character
        splits into the same bytes or into nothing.

        Args:
            text: The bytes to split, without the word-start space.
            starts: Whether they start a word.

        Returns:
            Token ids, empty when nothing in this vocabulary spells the bytes.
        """
        model = self.tokenizer.backend_tokenizer.model
        if self.family is Family.BYTE_LEVEL:
            ids = [t.id for t in model.tokenize(to_byte_level(b" " * starts + text))]
        else:
            try:
                words = text.decode()
            except UnicodeDecodeError:
                return self._byte_pieces(text)
            ids = self._text_pieces(self.normalized(words), starts, model)
        unknown = self.specials.get("unk")
        return [i for i in ids if i != unknown and i not in self.special_ids]

    def _byte_pieces(self, data: bytes) -> list[int]:
        by_token = [self._ids.get(f"<0x{b:02X}>") for b in data]
        return [i for i in by_token if i is not None] if None not in by_token else []

    def normalized(self, text: str) -> str:
        """Text as the tokenizer's normalizer leaves it, without a word-start mark that it may add in front."""
        normalizer = self.tokenizer.backend_tokenizer.normalizer
        return normalizer.normalize_str(text).removeprefix(SPACE_MARK) if normalizer is not None else text

    def _text_pieces(self, text: str, starts: bool, model: Any) -> list[int]:
        if self.family is Family.SENTENCEPIECE:
            return [t.id for t in model.tokenize(SPACE_MARK * starts + text.replace(" ", SPACE_MARK))]
        if self.family is Family.WORDPIECE:
            pre = self.tokenizer.backend_tokenizer.pre_tokenizer
            words = [w for w, _ in pre.pre_tokenize_str(text)] if pre is not None else [text]
            return [i for n, word in enumerate(words) for i in self._word_pieces(word, starts or n > 0)]
        return [t.id for t in model.tokenize(text)]

    def _word_pieces(self, word: str, starts: bool) -> list[int]:
        """WordPiece's greedy longest match (Schuster & Nakajima 2012), able to begin inside a word."""
        prefix = self.tokenizer.backend_tokenizer.model.continuing_subword_prefix
        pieces: list[int] = []
        start = 0
        while start < len(word):
            mark = "" if start == 0 and starts else prefix
            for end in range(len(word), start, -1):
                i = self._ids.get(mark + word[start:end])
                if i is None and start == 0 and end == 1 and len(word) == 1:
                    i = self._ids.get(word)
                if i is not None:
                    pieces.append(i)
                    start = end
                    break
            else:
                return []
        return pieces

    @cached_property
    def _ids(self) -> Mapping[str, int]:
        return {token: i for i, token in enumerate(self.tokens) if token}

    def id_of(self, token: str) -> int | None:
        """The id of a token string, or ``None``."""
        return self._ids.get(token)

    def single_token(self, word: str) -> int | None:
        """The one token that spells a whole word (at a word start), or ``None`` when it takes several."""
        ids = self.pieces(word.encode(), True)
        if len(ids) != 1:
            return None
        text = self.surfaces.texts[ids[0]]
        return ids[0] if text == self.normalized(word).encode() or self.family is Family.SUFFIX else None


def _tokens_by_id(tokenizer: Any) -> list[str]:
    backend, added = tokenizer.backend_tokenizer, tokenizer.added_tokens_decoder
    # Looking up each id takes a third of the time of get_vocab().
    size = backend.get_vocab_size(with_added_tokens=True)
    tokens = list(map(backend.id_to_token, range(size)))
    # Of an added token this is the normalized string, which may be another token's or a mere space.
    tokens = [added[i].content if i in added else token for i, token in enumerate(tokens)]
    if None not in tokens and len(set(tokens)) == size:
        return tokens
    by_token = tokenizer.get_vocab()
    tokens = [""] * (max(by_token.values(), default=-1) + 1)
    for token, i in by_token.items():
        tokens[i] = token
    return tokens


def _names(description: Any, name: str) -> bool:
    return name in str(description)
