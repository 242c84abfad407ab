"""Vocabulary of a tokenizer."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.byte_tokens import byte_tokens
from lexigraft.core.tokenization.files.bounds import is_panic
from lexigraft.core.tokenization.open_roles import unknown_string
from lexigraft.core.tokenization.running_text import inside_line
from lexigraft.core.tokenization.special_tokens import roles_of
from lexigraft.core.tokenization.surface import (
    SPACE_MARK,
    UNMARKED,
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

_LOG = logging.getLogger("lexigraft")


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

        The tokenizer is made to give the same tokens each time: truncation, padding and random cuts are set off in it.

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
        _set_sampling_off(backend.model)
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
            isolates_ideographs=_names(component(backend.normalizer), "'handle_chinese_chars': True"),
            byte_fallback=bool(getattr(model, "byte_fallback", False)),
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
    def byte_tokens(self) -> dict[int, int]:
        """Ids by byte value, for bytes that have a token of their own."""
        return byte_tokens(self)

    @cached_property
    def byte_complete(self) -> bool:
        """Whether every byte has a token that the tokenizer uses, so that no text is ever unknown."""
        by_byte = self.byte_tokens
        if len(by_byte) < 256:
            return False
        if self.family is Family.BYTE_LEVEL:
            return True
        model = self.tokenizer.backend_tokenizer.model
        if self.family is Family.BYTE_LEVEL_SUFFIX:  # the last byte of a word is another token
            return all(self.id_of(self.tokens[i] + model.end_of_word_suffix) is not None for i in by_byte.values())
        unseen = next(c for c in map(chr, range(0x10FFFD, 0, -1)) if c not in self._ids)
        return [t.id for t in model.tokenize(unseen)] == [by_byte[b] for b in unseen.encode()]

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, without special tokens, in parallel.

        Raises:
            LexigraftError: The tokenizer gives up on a text: a regular expression does not end, or its model lacks an
                unknown token.
        """
        backend = self.tokenizer.backend_tokenizer
        try:
            return [e.ids for e in backend.encode_batch_fast(list(texts), add_special_tokens=False)]
        except BaseException as error:
            if not isinstance(error, Exception) and not is_panic(error):
                raise
            hint = "Give its model an unknown token; or simplify the regular expression of its pre-tokenizer"
            raise LexigraftError("tokenizer gives up on a text", str(error)[:200], hint) from None

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

        Special and unknown pieces are left out, and where no other than the mark of a word start is left, there are
        none. Nothing is decoded to U+FFFD, so a fragment of a character splits into the same bytes or into nothing.

        Args:
            text: The bytes to split, without the word-start space.
            starts: Whether they start a word.

        Returns:
            Token ids, empty when nothing in this vocabulary spells the bytes.
        """
        try:
            words = text.decode()
        except UnicodeDecodeError:
            return self._pieces_of_fragment(text, starts)
        ids = self._known(self._pieces_around_added(words, starts) if self._added else self._cut(words, starts))
        spelled = not text.strip(b" ") or any(self.surfaces.texts[i].strip(b" ") for i in ids)
        return ids if spelled else []

    def _cut(self, text: str, starts: bool) -> list[int]:
        """The model's own tokens of a text that holds no added token."""
        if self.family is Family.WORDPIECE:
            return self._pieces_of_words(self.normalized(text), starts)
        model = self.tokenizer.backend_tokenizer.model
        return [t.id for word in self._words(self.normalized(text), starts) for t in model.tokenize(word)]

    @cached_property
    def _added(self) -> Mapping[int, str]:
        """The added tokens that are text; special ones are no part of it."""
        added = self.tokenizer.added_tokens_decoder
        return {i: token.content for i, token in added.items() if i not in self.special_ids}

    def _pieces_around_added(self, text: str, starts: bool) -> list[int]:
        """The tokens of a text in which added tokens are found before the model sees the rest."""
        backend = self.tokenizer.backend_tokenizer
        # Inside a word it stands behind a letter, because some added tokens are found as whole words only.
        letters = (c for c in "aeiounrstlmkdpbgvfhywjcxqz" if not any(c in token for token in self._added.values()))
        lead = " " if starts else next(letters, "")
        encoding = backend.encode(lead + text, add_special_tokens=False)
        at = next((span[0] for i, span in zip(encoding.ids, encoding.offsets, strict=True) if i in self._added), None)
        if at is None:
            return self._cut(text, starts)
        before, rest = (lead + text)[len(lead) : at], (lead + text)[at:]
        ids = self._cut(before, starts) if before else self._space_behind_word if starts and at else []
        return [*ids, *backend.encode(rest, add_special_tokens=False).ids]

    @cached_property
    def _space_behind_word(self) -> list[int]:
        """The tokens of a space between a word and an added token."""
        backend = self.tokenizer.backend_tokenizer
        word, both = (backend.encode(text, add_special_tokens=False).ids for text in ("a", "a "))
        return list(both[len(word) :])

    def _known(self, ids: list[int]) -> list[int]:
        return [i for i in ids if i not in self._unknown and i not in self.special_ids]

    @cached_property
    def _unknown(self) -> frozenset[int | None]:
        """The unknown tokens: the one that has the role, and the model's own."""
        string = unknown_string(self.tokenizer.backend_tokenizer)
        return frozenset({self.specials.get("unk"), None if string is None else self.id_of(string)})

    def _pieces_of_fragment(self, data: bytes, starts: bool) -> list[int]:
        """Bytes that are no text, which neither normalizer nor pre-tokenizer ever see on their own."""
        if self.family in (Family.BYTE_LEVEL, Family.BYTE_LEVEL_SUFFIX):
            model = self.tokenizer.backend_tokenizer.model
            whole = b" " * (starts and self.family is Family.BYTE_LEVEL) + data
            ids = self._known([t.id for t in model.tokenize(to_byte_level(whole))])
            marks = self.family is Family.BYTE_LEVEL
            spelled = b"".join(b" " * bool(marks and self.starts[i]) + self.surfaces.texts[i] for i in ids)
            return ids if spelled == whole else []
        by_byte = self.byte_tokens
        whole = b" " * (starts and self.family not in UNMARKED) + data
        return [by_byte[b] for b in whole] if all(b in by_byte for b in whole) else []

    def normalized(self, text: str) -> str:
        """Text as the tokenizer's normalizer leaves it, without a word-start mark that it may add in front."""
        normalizer, _ = self._inside_line
        return normalizer.normalize_str(text) if normalizer is not None else text

    @cached_property
    def _inside_line(self) -> tuple[Any, Any]:
        return inside_line(self.tokenizer.backend_tokenizer)

    def _words(self, text: str, starts: bool) -> list[str]:
        """The words that the pre-tokenizer makes of normalized text, as the model reads them."""
        if self.family is Family.SENTENCEPIECE:
            text = SPACE_MARK * starts + text.replace(" ", SPACE_MARK)
        elif self.family in (Family.BYTE_LEVEL, Family.LITERAL):
            text = " " * starts + text
        # At a word start the tokenizer's own pre-tokenizer has no space to add, except to later words.
        pre = self.tokenizer.backend_tokenizer.pre_tokenizer if starts else self._inside_line[1]
        words = [w for w, _ in pre.pre_tokenize_str(text)] if pre is not None else [text]
        byte_level = self.family in (Family.BYTE_LEVEL, Family.BYTE_LEVEL_SUFFIX)
        if byte_level and not _names(component(pre), "ByteLevel"):
            return [to_byte_level(word.encode()) for word in words]
        return words

    def _pieces_of_words(self, text: str, starts: bool) -> list[int]:
        """WordPiece's pieces; text that does not start a word is read behind a letter, which some signs part from."""
        letter = "" if starts else "a"
        pre = self.tokenizer.backend_tokenizer.pre_tokenizer
        words = [w for w, _ in pre.pre_tokenize_str(letter + text)] if pre is not None else [letter + text]
        if not words or starts:
            return [i for word in words for i in self._word_pieces(word, True)]
        inside = self._word_pieces(words[0].removeprefix(letter), False)
        return inside + [i for word in words[1:] for i in self._word_pieces(word, True)]

    def _word_pieces(self, word: str, starts: bool) -> list[int]:
        """WordPiece's greedy longest match (Schuster & Nakajima 2012), able to begin inside a word."""
        model = self.tokenizer.backend_tokenizer.model
        pieces: list[int] = []
        start = 0
        while start < len(word) <= model.max_input_chars_per_word:
            mark = "" if start == 0 and starts else model.continuing_subword_prefix
            for end in range(len(word), start, -1):
                if (i := model.token_to_id(mark + word[start:end])) is not None:
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
        return ids[0] if text == self.normalized(word).encode() else None


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


def _set_sampling_off(model: Any) -> None:
    """Set off the random cuts that training may use: BPE's dropout (Provilkov et al. 2020), Unigram's sampling."""
    for setting in ("dropout", "alpha"):
        if value := getattr(model, setting, None):
            setattr(model, setting, None)
            _LOG.warning("the tokenizer cuts text at random (%s %.3g): set off", setting, value)


def _names(description: Any, name: str) -> bool:
    return name in str(description)
