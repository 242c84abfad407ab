"""How many target tokens each match rule finds a twin for, for published tokenizers of every family, as Markdown."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from lexigraft.core.tokenization.matching.alignment import DEFAULT_RULES, RELAXED_RULES, align
from lexigraft.core.tokenization.vocabulary import Vocabulary

sys.path.extend(str(Path(__file__).resolve().parents[2] / folder) for folder in ("benchmarks", "tests"))
import measure
from fixtures.real_tokenizers import DATA, SOURCES, TARGETS, load_real

RULES = (*DEFAULT_RULES, *RELAXED_RULES)
FAMILIES = ("XLM-R", "Mistral", "GPT-2", "mBERT")


def main() -> int:
    """Print the tables; 2 when the data is not there."""
    if not DATA.exists():
        print(f"no data at {DATA}; name its folder in LEXIGRAFT_DATA", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as name:
        loaded = {n: load_real(n, Path(name)) for n in (*SOURCES, *TARGETS)}
    print(f"{measure.machine()}\n")
    print("| tokenizer | family | tokens |\n|---|---|---:|")
    for n, vocabulary in loaded.items():
        print(f"| {n} | {vocabulary.family.value} | {vocabulary.size:,} |")
    for pairs in (
        [(s, t) for t in TARGETS for s in SOURCES],
        [(s, t) for s in FAMILIES for t in FAMILIES if s != t],
    ):
        print()
        print("\n".join(table(loaded, pairs)))
    return 0


def table(loaded: dict[str, Vocabulary], pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    """One line for each pair: matches by rule, tokens still new, seconds to align with the default rules."""
    yield "| source | target | " + " | ".join(f"`{r}`" for r in RULES) + " | new | seconds |"
    yield "|---|---|" + "---:|" * (len(RULES) + 2)
    for source, target in pairs:
        started = time.perf_counter()
        align(loaded[source], loaded[target])
        seconds = time.perf_counter() - started
        found = align(loaded[source], loaded[target], RELAXED_RULES)
        counts = found.counts()
        cells = [*(f"{counts[r]:,}" for r in RULES), f"{len(found.new):,}", f"{seconds:.2f}"]
        yield f"| {source} | {target} | " + " | ".join(cells) + " |"


if __name__ == "__main__":
    sys.exit(main())
