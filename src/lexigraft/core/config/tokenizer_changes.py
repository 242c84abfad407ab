"""Settings of a target tokenizer that is made from the source's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from lexigraft.core.config.base import Count, Settings

KEYS = ("extend", "prune", "train")


class ExtendSettings(Settings):
    """The source's tokenizer with tokens for `corpus.train`; what `corpus.source_train` uses is spared."""

    add: Count = Field(ge=1)
    method: Literal["continued_bpe", "append", "exchange", "unigram_em"] | None = None


class PruneSettings(Settings):
    """The source's tokenizer without the tokens that `corpus.train` and `corpus.source_train` need least."""

    keep: Count | None = Field(None, ge=1)
    drop_unused: bool = False

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if (self.keep is None) is not self.drop_unused:
            raise ValueError("give either keep or drop_unused")
        return self


class LikeSettings(Settings):
    """A tokenizer trained on `corpus.train` with the source's normalizer, pre-tokenizer and special tokens."""

    like: Literal["source"]
    size: int = Field(8000, ge=300, le=2**24)
    type: Literal["unigram", "bpe", "byte_bpe", "wordpiece"] | None = None


class TokenizerChangeSettings(Settings):
    """One change of the source's tokenizer."""

    extend: ExtendSettings | None = None
    prune: PruneSettings | None = None
    train: LikeSettings | None = None

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if sum(getattr(self, key) is not None for key in KEYS) != 1:
            raise ValueError("give one of extend, prune and train")
        return self

    def tokens(self, source: int) -> int:
        """How many tokens it has at most, of so many of the source."""
        if self.train is not None:
            return self.train.size
        if self.prune is not None:
            return self.prune.keep or source
        assert self.extend is not None
        return source + (0 if self.extend.method == "exchange" else self.extend.add)

    def shown(self) -> str:
        """The change in words."""
        if self.train is not None:
            return f"trained like the source's, {self.train.size:,} tokens"
        if self.prune is not None:
            kept = "what the text uses" if self.prune.keep is None else f"{self.prune.keep:,} tokens"
            return f"the source's, pruned to {kept}"
        assert self.extend is not None
        verb = "with {:,} tokens exchanged" if self.extend.method == "exchange" else "extended by {:,} tokens"
        return f"the source's, {verb.format(self.extend.add)}"


def unwrapped(value: object) -> object:
    """``{train: {...}}`` without ``like`` as the settings inside, which is how they are written without ``train``."""
    if isinstance(value, Mapping) and set(value) == {"train"} and isinstance(value["train"], Mapping):
        return value if "like" in value["train"] else value["train"]
    return value


def kind_of(value: object) -> str:
    """Which of the spellings of a target tokenizer a value is: a path, settings of a training, or a change."""
    if isinstance(value, TokenizerChangeSettings) or (isinstance(value, Mapping) and not set(KEYS).isdisjoint(value)):
        return "TokenizerChangeSettings"
    return "str" if isinstance(value, str) else "TokenizerSettings"
