"""Some lines of a text as several tokenizers cut them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from lexigraft.core.data.corpus import Corpus, evenly_chosen
from lexigraft.core.tokenization.measures.segmentation import Piece, segmented
from lexigraft.core.tokenization.token_counts import token_counts
from lexigraft.core.tokenization.vocabulary import Vocabulary


class Sample(NamedTuple):
    """One line.

    Attributes:
        bytes: Its bytes of UTF-8.
        cuts: Its parts, by tokenizer.
    """

    bytes: int
    cuts: Mapping[str, tuple[Piece, ...]]


class Segmentation(NamedTuple):
    """Some lines of a text, and the tokens of the whole of it.

    Attributes:
        lines: The lines.
        bytes: The text's bytes of UTF-8.
        tokens: The text's tokens, by tokenizer.
    """

    lines: tuple[Sample, ...]
    bytes: int
    tokens: Mapping[str, int]

    @classmethod
    def of(cls, vocabularies: Mapping[str, Vocabulary], text: Corpus, lines: int, characters: int) -> Segmentation:
        """The segmentation of a text; arguments as of :func:`segmentation_samples`."""
        tokens = {name: int(token_counts(one, text.lines).sum()) for name, one in vocabularies.items()}
        return cls(segmentation_samples(vocabularies, text, lines, characters), text.bytes, tokens)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Segmentation:
        """What JSON made of ``as_json``."""
        lines = (
            Sample(line["bytes"], {name: tuple(Piece(*piece) for piece in cut) for name, cut in line["cuts"].items()})
            for line in values["lines"]
        )
        return cls(tuple(lines), values["bytes"], dict(values["tokens"]))

    def as_json(self) -> dict[str, Any]:
        """Plain values that ``from_json`` reads back."""
        lines = [
            {"bytes": line.bytes, "cuts": {name: [list(piece) for piece in cut] for name, cut in line.cuts.items()}}
            for line in self.lines
        ]
        return {"lines": lines, "bytes": self.bytes, "tokens": dict(self.tokens)}


def segmentation_samples(
    vocabularies: Mapping[str, Vocabulary], text: Corpus, lines: int, characters: int
) -> tuple[Sample, ...]:
    """Cut some lines, chosen evenly over a text, by every tokenizer.

    Args:
        vocabularies: The tokenizers by name.
        text: The text.
        lines: Most lines.
        characters: Most characters of a line: a longer one ends at the last space before.
    """
    chosen = [_shortened(line, characters) for line in evenly_chosen(text, lines).lines]
    cut = {name: list(segmented(vocabulary, chosen)) for name, vocabulary in vocabularies.items()}
    return tuple(
        Sample(len(line.encode("utf-8", "surrogatepass")), {name: tuple(found[n]) for name, found in cut.items()})
        for n, line in enumerate(chosen)
    )


def _shortened(line: str, characters: int) -> str:
    if len(line) <= characters:
        return line
    return line[: characters + 1].rpartition(" ")[0] or line[:characters]
