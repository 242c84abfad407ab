"""FOCUS beside deepfocus: 250,002 XLM-R pieces × 768 to 50,000 Swahili tokens, fastText's vectors given.

Both sides read the same files, with the same number of threads, each in a process of its own, in turn, several times;
printed are medians. What fastText takes to read its own file is left out of the peer's time; what we take to read it is
in ours.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.extend(str(Path(__file__).resolve().parents[2] / folder) for folder in ("benchmarks", "tests"))
from measure import asked, floors, fresh, machine, medians, row
from parity.environments import DEEPFOCUS, ask
from parity.sentencepiece_pairs import real_pair


def main() -> int:
    """Print a Markdown table of both sides and their ratios."""
    given = asked(__doc__, threads=2, runs=3)
    threads: int = given.threads
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pair = real_pair(folder, 40_000, width=768, dim=300, epoch=5, minCount=2, thread=threads)
        request = {key: str(path) for key, path in vars(pair).items()} | {"threads": threads}
        script, out = Path(__file__).with_name("focus_ours.py"), {"out": str(folder / "theirs.npz")}
        runs = [
            (fresh(script, request), ask(DEEPFOCUS, "deepfocus_worker.py", request | out)) for _ in range(given.runs)
        ]
    ours, theirs = (medians(side) for side in zip(*runs, strict=True))
    product = 2 * ours["mixed"] * ours["anchors"] * ours["dim"] / floors(threads).multiply
    size = f"{ours['anchors']:,.0f} anchors × {ours['mixed']:,.0f} new tokens, {ours['weights']:.0f} weights each"
    print(f"{machine()}; {threads} threads; {size}; medians of {given.runs} runs\n")
    print("| what | Lexigraft | deepfocus 1.0.1 | ratio |\n|---|---|---|---|")
    print(row("alignment", ours["align_seconds"], theirs["align_seconds"], "s"))
    print(row("all, alignment included", ours["focus_seconds"], theirs["focus_seconds"], "s"))
    unread = ours["focus_seconds"] - ours["vectors_seconds"]
    print(row("the same without reading vectors, on both sides", unread, theirs["focus_seconds"], "s"))
    print(row("peak memory", ours["peak_bytes"] / 2**30, theirs["peak_bytes"] / 2**30, "GiB"))
    times = ours["mix_seconds"] / product
    print(f"\nThe cosines of all pairs are a matrix product that takes {product:.2f} s at this machine's rate;")
    print(f"the mixtures took {ours['mix_seconds']:.2f} s, {times:.1f} times as long.")
    held = f"{ours['held_bytes'] / 2**30:.2f} GiB"
    print(f"Of our memory, libraries, tokenizers, source table, vectors and new table are {held}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
