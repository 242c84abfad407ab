"""Rows that deepfocus copies from the wrong token, fragments of characters first of all; counts as Markdown.

A fragment is a byte-level token that is no whole characters. Decoded alone it is U+FFFD, and deepfocus matches what is
decoded. No rows are made: the counts are of the matches whose rows would be copied.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from lexigraft.core.tokenization.matching.alignment import align
from lexigraft.core.tokenization.matching.spelling import spelled
from lexigraft.core.tokenization.surface import Kind
from lexigraft.core.tokenization.vocabulary import Vocabulary

sys.path.extend(str(Path(__file__).resolve().parents[2] / folder) for folder in ("benchmarks", "tests"))
import measure
from fixtures.real_tokenizers import DATA, load_real
from parity.canonical_forms import blurred
from parity.deepfocus_results import their_twins

PAIRS = (("GPT-2", "sw-bpe-50k"), ("GPT-NeoX", "ha-bpe-50k"), ("mBERT", "sw-bpe-50k"))
COLUMNS = (
    "source",
    "target",
    "matched",
    "fragments",
    "U+FFFD",
    "white space",
    "others",
    "source tokens",
    "had a twin",
    "never occurs",
)


def main() -> int:
    """Print the table; 2 when the data is not there."""
    if not DATA.exists():
        print(f"no data at {DATA}; name its folder in LEXIGRAFT_DATA", file=sys.stderr)
        return 2
    print(f"{measure.machine()}; deepfocus 1.0.1\n")
    print("| " + " | ".join(COLUMNS) + " |\n|---|---|" + "---:|" * (len(COLUMNS) - 2))
    with tempfile.TemporaryDirectory() as name:
        for source, target in PAIRS:
            counts = (f"{n:,}" for n in row(Path(name), source, target))
            print(f"| {source} | {target} | " + " | ".join(counts) + " |", flush=True)
    return 0


def row(folder: Path, source_name: str, target_name: str) -> list[int]:
    """The counts of one pair, special tokens left out: all matches, then those whose bytes differ, by the target token.

    ``source tokens`` is how many of them these get their rows from, ``had a twin`` how many would have one by `align`,
    and ``never occurs`` how many of the other matches are with a source token that its own pre-tokenizer always cuts,
    such as BERT's ``##,``.
    """
    source, target = (saved(folder, name) for name in (source_name, target_name))
    ours = align(source, target).source_ids
    text = spelled(target)
    twins = {i: j for i, j in their_twins(folder, folder / source_name, folder / target_name).items() if i in text}
    wrong = {i for i, j in twins.items() if source.surfaces.texts[j] != target.surfaces.texts[i]}
    kinds = [found & wrong for found in blurred(target).values()]
    return [
        len(twins),
        *map(len, kinds),
        len(wrong.difference(*kinds)),
        len({twins[i] for i in wrong}),
        sum(int(ours[i]) >= 0 for i in wrong),
        sum(source.surfaces.kinds[j] == Kind.UNUSABLE for i, j in twins.items() if i not in wrong),
    ]


def saved(folder: Path, name: str) -> Vocabulary:
    """A published tokenizer, and beside it the folder that deepfocus reads."""
    vocabulary = load_real(name, folder / "unpacked")
    vocabulary.tokenizer.save_pretrained(folder / name)
    return vocabulary


if __name__ == "__main__":
    sys.exit(main())
