"""Source rows and weights behind the row of a token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lexigraft.core.errors import LexigraftError, UnknownName
from lexigraft.core.grafting.folder import read_facts, read_provenance
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.tokenization.vocabulary import Vocabulary


@dataclass(frozen=True)
class SourceWeight:
    """One source row behind a grafted row.

    Attributes:
        source_id: The source token's id.
        token: The source token; ``#ID`` where the source tokenizer cannot be read any more.
        weight: Its weight in the mixture.
    """

    source_id: int
    token: str
    weight: float


@dataclass(frozen=True)
class TokenExplanation:
    """Where the row of one target token came from.

    Attributes:
        token: The target token.
        target_id: Its id.
        rule: The match rule, strategy or fallback that made the row.
        sources: The source rows with the largest weights, largest first; empty where no source row was used.
        more: How many further source rows there are.
    """

    token: str
    target_id: int
    rule: str
    sources: tuple[SourceWeight, ...]
    more: int

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "sources": [asdict(source) for source in self.sources]}


def explain(folder: str | Path, token: str, *, top: int = 10) -> list[TokenExplanation]:
    """Find the source tokens that a token's row was made from.

    Args:
        folder: What ``graft`` wrote.
        token: The token as in the vocabulary (``▁wasi``, ``Ġwasi``), or text, which is split into its tokens.
        top: Source tokens at most.

    Returns:
        One explanation for each token, its source tokens by decreasing absolute weight.

    Raises:
        LexigraftError: Not a grafted folder, or a damaged one.
        UnknownName: The text has no token.
    """
    home = Path(folder)
    columns = read_provenance(home)
    vocabulary = load_vocabulary(home)
    ids = _ids(vocabulary, token)
    if len(columns["rule"]) != vocabulary.size:
        fit = f"{len(columns['rule'])} rows for {vocabulary.size} tokens"
        raise LexigraftError("provenance and tokenizer do not fit together", fit, "Graft again")
    source = read_facts(home).get("source")
    name = source.get("model") if isinstance(source, dict) else None
    shown = _names(name if isinstance(name, str) else "")
    explanations = []
    for i in ids:
        pairs = sorted(zip(columns["source_ids"][i], columns["weights"][i], strict=True), key=lambda p: -abs(p[1]))
        sources = tuple(SourceWeight(s, shown(s), weight) for s, weight in pairs[:top])
        rule, more = columns["rule"][i], max(0, len(pairs) - top)
        explanations.append(TokenExplanation(vocabulary.display(i), i, rule, sources, more))
    return explanations


def _ids(vocabulary: Vocabulary, token: str) -> list[int]:
    exact = vocabulary.id_of(token)
    ids = [exact] if exact is not None else vocabulary.pieces(token.strip().encode(), True)
    unknown = exact is None and vocabulary.specials.get("unk") in vocabulary.encode([token.strip()])[0]
    if unknown or not ids:
        raise UnknownName("token", token, [t for t in vocabulary.tokens if t and t[0] == token[:1]][:200])
    return ids


def _names(source: str) -> Callable[[int], str]:
    """A function from source ids to token names; to ``#ID`` where the source model cannot be read any more."""
    try:
        vocabulary = load_vocabulary(source)
    except LexigraftError:
        return lambda i: f"#{i}"
    return lambda i: vocabulary.display(i) if 0 <= i < vocabulary.size else f"#{i}"
