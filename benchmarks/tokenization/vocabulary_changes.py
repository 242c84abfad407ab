"""Published vocabularies extended, exchanged, replaced and pruned for three languages, measured on held-out text.

    LEXIGRAFT_DATA=… python benchmarks/tokenization/vocabulary_changes.py --lines 6000

Tokens are learned from `--lines` lines and counted on `--heldout` others. Parameters are rows × width of the model,
twice for Mistral, whose tables are not tied. `source text changed` is the share of the tokens of `--english` lines of
FLORES-200 that are gone: cut otherwise, or dropped. `never produced` are tokens of text that the held-out lines do not
produce. XLM-R's pieces come without scores; here these follow Zipf's law by id, so its segmentation is not quite the
published one.
"""

from __future__ import annotations

import argparse
import gzip
import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

sys.path.extend(str(Path(__file__).resolve().parents[2] / folder) for folder in ("benchmarks", "tests"))
from fixtures.real_tokenizers import DATA, load_real
from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.editing.extension import extend
from lexigraft.core.tokenization.editing.pruning import prune
from lexigraft.core.tokenization.editing.rebuilding import description_of, with_description
from lexigraft.core.tokenization.editing.training_like import train_like
from lexigraft.core.tokenization.measures.segmentation_change import changed_share
from lexigraft.core.tokenization.measures.tokenizer_measures import measure_tokenizer
from lexigraft.core.tokenization.vocabulary import Vocabulary

TEXTS = {
    "quechua": "quechua/qubert.txt.gz",
    "guarani": "guarani/parallel/train.gn.gz",
    "swahili": "swahili/train.swa.gz",
}
ROW_VALUES = {"GPT-2": 768, "Mistral": 2 * 4096, "mBERT": 768, "XLM-R": 768}
"""Parameters that a token of each has: the width, for both tables where they are not tied."""

COLUMNS = (
    "vocabulary", "tokens", "tokens per word", "bytes per token", "parameters", "source text changed",
    "never produced", "seconds",
)  # fmt: skip


def main() -> int:
    """Print a Markdown table for each language and source."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=6000)
    parser.add_argument("--heldout", type=int, default=1000)
    parser.add_argument("--english", type=int, default=1000)
    parser.add_argument("--languages", default=",".join(TEXTS))
    parser.add_argument("--sources", default=",".join(ROW_VALUES))
    given = parser.parse_args()
    english = read("multilingual/flores-200/eng.dev+devtest.txt.gz")[: given.english]
    with tempfile.TemporaryDirectory() as folder:
        for name in given.sources.split(","):
            source = load_real(name, Path(folder))
            source = by_zipf(source) if name == "XLM-R" else source
            for language in given.languages.split(","):
                train, heldout = parted(read(TEXTS[language]), given.lines, given.heldout)
                print(f"\n{name}, {language}\n\n| {' | '.join(COLUMNS)} |\n|---|{'--:|' * (len(COLUMNS) - 1)}")
                for label, change in changes(name, source, train):
                    print(row(label, change, source, ROW_VALUES[name], heldout, english), flush=True)
    return 0


def read(path: str) -> list[str]:
    """The different lines of a text of the data folder."""
    return list(dict.fromkeys(gzip.decompress((DATA / path).read_bytes()).decode().splitlines()))


def by_zipf(vocabulary: Vocabulary) -> Vocabulary:
    """A Unigram vocabulary whose pieces are as probable as their place says."""
    described = description_of(vocabulary)
    pieces = described["model"]["vocab"]
    total = sum(1 / n for n in range(1, len(pieces) + 1))
    described["model"]["vocab"] = [[piece, -math.log(n * total)] for n, (piece, _) in enumerate(pieces, 1)]
    return with_description(vocabulary, described)


def parted(lines: Sequence[str], train: int, heldout: int) -> tuple[list[str], list[str]]:
    """Lines to learn from and held-out ones, both spread evenly over the text."""
    chosen = lines[:: max(len(lines) // (train + heldout), 1)][: train + heldout]
    every = (train + heldout) // heldout
    return [line for n, line in enumerate(chosen) if n % every], list(chosen[::every])[:heldout]


def changes(name: str, source: Vocabulary, lines: Sequence[str]) -> Iterator[tuple[str, Callable[[], Vocabulary]]]:
    """Each change of a vocabulary with its label."""
    yield "source", lambda: source
    for number in (1000, 5000, 20000):
        yield f"extended by {number:,}", lambda number=number: extend(source, lines, number)
    if name in ("GPT-2", "Mistral"):
        yield "append, 5,000", lambda: extend(source, lines, 5000, "append")
        yield "exchange, 5,000", lambda: extend(source, lines, 5000, "exchange")
    yield "replaced", lambda: train_like(source, lines, source.size)
    yield "pruned to what the text uses", lambda: prune(source, lines)


def row(
    label: str,
    change: Callable[[], Vocabulary],
    source: Vocabulary,
    values: int,
    heldout: Sequence[str],
    english: Sequence[str],
) -> str:
    """The line of a table for one change, or why it cannot be made."""
    began = time.process_time()
    try:
        changed = change()
    except LexigraftError as error:
        return f"| {label} | {error} |"
    seconds = time.process_time() - began
    found = measure_tokenizer(changed, heldout)
    more = (found.size - sum(map(bool, source.tokens))) * values / 1e6
    cells = (
        f"{found.size:,}", f"{found.tokens / len(' '.join(heldout).split()):.2f}", f"{found.bytes_per_token:.2f}",
        f"{more:+.1f} M", f"{changed_share(source, changed, english):.1%}", f"{found.never_produced:,}",
        f"{seconds:.1f}",
    )  # fmt: skip
    return f"| {label} | {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
