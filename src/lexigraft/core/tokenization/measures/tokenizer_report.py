"""The figures of several tokenizers on one text."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from lexigraft.core.tokenization.measures.parity import Parity
from lexigraft.core.tokenization.measures.tokenizer_measures import TokenizerMeasures


@dataclass(frozen=True)
class TokenizerReport:
    """Tokenizers on a text.

    Attributes:
        lines: Lines of the text.
        bytes: Its UTF-8 bytes.
        tokenizers: The figures of each tokenizer, by the name it was given by.
        lengths: Its tokens over those of the first tokenizer.
        context_gains: How many times as much text a context of as many tokens holds as with the first tokenizer.
        speeds: Predicted speed of the model with each vocabulary over that with the first; empty without a model.
        parity: Its parity on parallel text; empty where none was given.
        languages: The files of the parallel text.
        warnings: What the figures hide.
    """

    lines: int
    bytes: int
    tokenizers: dict[str, TokenizerMeasures]
    lengths: dict[str, float]
    context_gains: dict[str, float]
    speeds: dict[str, float]
    parity: dict[str, Parity]
    languages: tuple[str, ...]
    warnings: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


LABELS = {
    "size": "tokens in the vocabulary",
    "tokens": "tokens of the text",
    "fertility": "tokens per word (fertility)",
    "characters_per_token": "characters per token",
    "bytes_per_token": "bytes per token",
    "single_token_share": "word types that are one token",
    "continued_rate": "words of two tokens or more",
    "unknown_rate": "unknown tokens",
    "byte_fallback_rate": "byte-fallback tokens",
    "never_produced": "tokens never produced",
    "renyi_efficiency": "Rényi efficiency",
    "renyi_alpha": "  its alpha",
    "renyi_vocabulary": "  its vocabulary: tokens produced",
    "pre_token_floor": "pre-tokens: the floor of tokens",
    "mark_aware_floor": "  if letters kept their marks",
    "digits": "numbers",
}
"""What the figures are called, in the order in which they are shown."""


def figures(report: TokenizerReport) -> list[list[str]]:
    """The figures of each tokenizer, a row for each figure with its name; what is undefined is a dash."""

    def shown(value: object) -> str:
        if value is None:
            return "-"
        return f"{value:,}" if isinstance(value, int) else f"{value:.4g}" if isinstance(value, float) else str(value)

    measures, parities = report.tokenizers.values(), report.parity.values()
    rows = [[label, *(shown(getattr(one, field)) for one in measures)] for field, label in LABELS.items()]
    against = {
        "tokens over the first tokenizer's": report.lengths,
        "context gain": report.context_gains,
        "predicted speed": report.speeds,
    }
    rows[2:2] = [[label, *map(shown, found.values())] for label, found in against.items() if found]
    for n, language in enumerate(report.languages[1:] if parities else (), 1):
        rows.append([f"tokens, {language} over {report.languages[0]}", *(shown(one.premiums[n]) for one in parities)])
    return [*rows, ["Gini over languages", *(shown(one.gini) for one in parities)]] if parities else rows
