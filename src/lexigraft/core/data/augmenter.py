"""The contract of augmenters."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from lexigraft.core.data.annotated_text import AnnotatedText

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class Piece:
    """Text that an edit puts into a document.

    Attributes:
        text: The text.
        kind: What it is, such as ``name`` or ``tag``; options of the augmenter are about kinds.
        loss: Whether the model learns to predict it.
        token: Whether the whole piece is one added token of the vocabulary.
    """

    text: str
    kind: str
    loss: bool = True
    token: bool = False


@dataclass(frozen=True, slots=True)
class Edit:
    """A place of a document with the text that comes there.

    Attributes:
        start: Where the text that goes begins, in code points.
        end: Where it ends; equal to ``start`` where nothing goes.
        pieces: The text that comes instead.
    """

    start: int
    end: int
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Augmenter:
    """One way of changing training documents: a frozen dataclass whose fields are its options.

    A subclass lives in its own file, named after the method, and declares the class attributes below. Its docstring is
    its record: one line of summary, then ``Source:``. The same document with the same generator gives the same edits,
    in whatever process and after whatever other documents.

    Attributes:
        p: The probability with which an opportunity is used.
    """

    name: ClassVar[str]
    aliases: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    edits_at: ClassVar[Literal["anchors", "words", "characters"]] = "anchors"
    """Where edits may begin and end; with "anchors" the training text must be annotated."""
    loss_options: ClassVar[Mapping[str, str]] = {}
    """The field that says whether pieces of a kind are learned, by kind."""
    p: float = 0.5

    def __post_init__(self) -> None:
        """Refuse what is no probability; a subclass that checks more calls this too."""
        if not 0 <= self.p <= 1:
            raise ValueError("p must lie between 0 and 1")

    @property
    def active(self) -> bool:
        """Whether it may change anything at all."""
        return self.p > 0

    def check(self) -> None:
        """Refuse options that cannot work on this machine, before text is read and weights load.

        Raises:
            LexigraftError: Such as a package that is not installed, or a file that is not there.
        """

    @property
    def content(self) -> str:
        """A hash of the files that options name; empty where they name none."""
        return ""

    @property
    def seeks(self) -> str:
        """What it looks for in a text, for the message that a text holds none of it."""
        return f"what it can change at {self.edits_at}"

    def added_tokens(self) -> Mapping[str, str]:
        """Tokens that the vocabulary must hold, each with the strategy that makes its rows."""
        return {}

    def opportunities(self, document: AnnotatedText) -> int:
        """How many edits of a document are possible: as many as :meth:`edits` returns with ``p = 1``.

        Args:
            document: The document.
        """
        raise NotImplementedError(f"{type(self).__name__} has no opportunities()")

    def edits(self, document: AnnotatedText, generator: np.random.Generator) -> Sequence[Edit]:
        """The edits of one document.

        Args:
            document: The document.
            generator: The only source of randomness; seeded by document, epoch and seed.

        Returns:
            Edits in the order of the text; no two overlap.
        """
        raise NotImplementedError(f"{type(self).__name__} has no edits()")

    def sample(self, folder: Path) -> Mapping[str, Any]:
        """Options for the laws, where the defaults change nothing in their documents; an option's file is written here.

        Args:
            folder: An empty folder.
        """
        return {}

    def parameters(self) -> dict[str, Any]:
        """The options as plain values, for recipes and MLflow."""
        return dataclasses.asdict(self)
