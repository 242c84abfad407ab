"""What the author of an augmenter imports."""

from __future__ import annotations

from lexigraft.core.data.annotated_text import Anchor, AnnotatedText
from lexigraft.core.data.augmenter import Augmenter, Edit, Piece
from lexigraft.core.errors import LexigraftError

__all__ = ["Anchor", "AnnotatedText", "Augmenter", "Edit", "LexigraftError", "Piece"]
