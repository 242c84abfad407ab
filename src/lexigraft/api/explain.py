"""Which source tokens made a row of a grafted model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lexigraft.core.errors import UnknownName
from lexigraft.core.grafting.folder import FACTS, read_provenance
from lexigraft.core.tokenization.loading import load_vocabulary
from lexigraft.core.tokenization.vocabulary import Vocabulary


def explain(folder: str | Path, token: str, *, top: int = 10) -> list[dict[str, Any]]:
    """The source tokens behind a token, heaviest first.

    Args:
        folder: What ``graft`` wrote.
        token: The token as in the vocabulary (``▁wasi``, ``Ġwasi``), or text, which is split into its tokens.
        top: Source tokens at most.

    Returns:
        One record for each token: ``token, target_id, rule, sources, more``.

    Raises:
        LexigraftError: Not a grafted folder.
        UnknownName: The text has no token.
    """
    home = Path(folder)
    columns = read_provenance(home)
    vocabulary = load_vocabulary(home)
    ids = _ids(vocabulary, token)
    facts = json.loads((home / FACTS).read_text(encoding="utf-8"))
    source = _names(facts["source"]["model"])
    found = []
    for i in ids:
        pairs = sorted(zip(columns["source_ids"][i], columns["weights"][i], strict=True), key=lambda p: -abs(p[1]))
        shown = [{"source_id": s, "token": source(s), "weight": w} for s, w in pairs[:top]]
        found.append(
            {
                "token": vocabulary.display(i),
                "target_id": i,
                "rule": columns["rule"][i],
                "sources": shown,
                "more": max(0, len(pairs) - top),
            }
        )
    return found


def _ids(vocabulary: Vocabulary, token: str) -> list[int]:
    exact = vocabulary.id_of(token)
    ids = [exact] if exact is not None else vocabulary.pieces(token.strip().encode(), True)
    unknown = exact is None and vocabulary.specials.get("unk") in vocabulary.encode([token.strip()])[0]
    if unknown or not ids:
        raise UnknownName("token", token, [t for t in vocabulary.tokens if t and t[0] == token[:1]][:200])
    return ids


def _names(source: str) -> Any:
    """Source token names, or bare ids when the source model is no longer where it was."""
    from lexigraft.core.errors import LexigraftError

    try:
        vocabulary = load_vocabulary(source)
    except LexigraftError:
        return lambda i: f"#{i}"
    return vocabulary.display
