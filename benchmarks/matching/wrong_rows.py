"""Matches of all ordered pairs of published tokenizers whose two tokens do not stand for the same.

What a token stands for is asked of the tokenizers themselves. Further tokenizers are taken as arguments.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from itertools import permutations
from pathlib import Path

from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.tokenization.matching.alignment import align

sys.path.extend(str(Path(__file__).resolve().parents[2] / folder) for folder in ("benchmarks", "tests"))
import measure
from fixtures.own_bytes import own_bytes, wrong_rows
from fixtures.real_tokenizers import DATA, SOURCES, TARGETS, load_real


def main(others: list[str]) -> int:
    """Print the counts; 1 when a row is wrong, 2 when the data is not there."""
    if not DATA.exists():
        print(f"no data at {DATA}; name its folder in LEXIGRAFT_DATA", file=sys.stderr)
        return 2
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        loaded = {name: load_real(name, Path(folder)) for name in (*SOURCES, *TARGETS)}
        models = {name: path for name in loaded if (path := Path(folder, name, "tokenizer.model")).exists()}
        own = {name: own_bytes(vocabulary, models.get(name)) for name, vocabulary in loaded.items()}
    for path in others:
        loaded[path] = load_vocabulary(path)
        own[path] = own_bytes(loaded[path], Path(path) if path.endswith((".model", ".spm")) else None)
    read = time.perf_counter()
    counts: Counter[str] = Counter()
    wrong = 0
    for source, target in permutations(loaded, 2):
        found = align(loaded[source], loaded[target])
        counts.update(found.counts())
        for ours, theirs, rule in wrong_rows(loaded[source], loaded[target], found, own[source], own[target]):
            wrong += 1
            print(f"{source} to {target}: {ours!r} from {theirs!r} by {rule}")
    print(f"{measure.machine()}\n")
    pairs = len(loaded) * (len(loaded) - 1)
    print(f"{len(loaded)} tokenizers, {pairs:,} ordered pairs, {counts.total():,} matched rows, {wrong:,} wrong")
    print(", ".join(f"`{rule}` {count:,}" for rule, count in counts.items() if count))
    print(f"{read - started:.0f} s to read them, {time.perf_counter() - read:.0f} s to match and check")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
