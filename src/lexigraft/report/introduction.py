"""Introduction of a report: what was compared on what, for a reader who knows nothing of it."""

from __future__ import annotations

from collections.abc import Iterator

from lexigraft.report.data import Report
from lexigraft.report.formats import count, size


def introduction(report: Report) -> str:
    """What was compared on what, in a few sentences made of the comparison's facts.

    Args:
        report: The report.
    """
    return " ".join(_sentences(report))


def _sentences(report: Report) -> Iterator[str]:
    facts, n = report.comparison.facts, len(report.comparison.labels)
    source, tokenizer = facts.get("source", "the source model"), facts.get("target_tokenizer")
    new = f"a new vocabulary ({tokenizer})" if tokenizer else "a new vocabulary"
    yield f"{n} {'strategy' if n == 1 else 'strategies'} to bring {source} to another language with {new}."
    yield "A strategy makes the embedding rows of the tokens that the source model does not have."
    poor = [f"{row.label} (a model of target text alone)" for row in report.rows if row.is_poor]
    keep = [f"{row.label} (the source's own vocabulary)" for row in report.rows if row.keeps_tokenizer]
    if poor or keep:
        yield f"Controls do without: {', '.join([*poor, *keep])}."
    text = "target text"
    if "corpus_lines" in facts:
        text = f"{count(facts['corpus_lines'])} lines of target text"
        text += f" ({_bytes(facts['corpus_bytes'])})" if "corpus_bytes" in facts else ""
    steps = f" for {count(facts['steps'])} steps" if "steps" in facts else ""
    tokens = f" ({count(facts['tokens_trained'])} tokens)" if "tokens_trained" in facts and steps else ""
    yield f"Each then trains on the same {text}{steps}{tokens}."
    lines = (facts.get("measured_lines") or {}).get("heldout", facts.get("heldout_lines"))
    held_out = f"{count(lines)} held-out lines" if lines else "held-out text"
    seeds = len(report.comparison.seeds)
    yield f"It is measured on {held_out}, with {seeds} {'seed' if seeds == 1 else 'seeds'}."


def _bytes(value: float) -> str:
    return size(value) if value >= 2**20 else f"{value / 2**10:,.0f} KiB"
