"""Sparse mixtures at a size that no whole matrix fits: 200,000 new tokens × 100,000 anchors, by blocks in 2 GB.

    python benchmarks/linalg/mixtures.py --share 1

Made vectors in 300 dimensions around 200 centres. Half and all of `--share` of the new tokens show how time grows.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.extend(str(Path(__file__).resolve().parents[2] / folder) for folder in ("benchmarks", "tests"))
from measure import floors, fresh, machine, seconds

NEW, ANCHORS, DIM, BUDGET = 200_000, 100_000, 300, 2 * 10**9


def main() -> int:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=0.1)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    rate = floors(given.threads).multiply
    print(f"{machine()}; {given.threads} threads; {ANCHORS:,} anchors, {DIM} dimensions; one run\n")
    print("| new tokens | time | product alone | ratio | memory beyond vectors and mixtures | weights each |")
    print("|--:|--:|--:|--:|--:|--:|")
    for count in (int(NEW * given.share) // 2, int(NEW * given.share)):
        found = fresh(Path(__file__), {"new": count, "threads": given.threads})
        floor = 2 * count * ANCHORS * DIM / rate
        memory, took = found["beyond_bytes"] / 1e9, found["seconds"]
        cells = (f"{count:,}", f"{took:.1f} s", f"{floor:.1f} s", f"{took / floor:.2f}", f"{memory:.2f} GB")
        print(f"| {' | '.join(cells)} | {found['weights']:.0f} |")
    return 0


def measured(request: dict[str, int]) -> dict[str, float]:
    """Seconds, and how far memory rose above the vectors and the result."""
    import numpy as np
    import torch

    from lexigraft.core.methods.mixtures import sparse_mix
    from lexigraft.core.utils.memory import peak_rss_bytes

    torch.set_num_threads(request["threads"])
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(200, DIM, generator=generator)
    queries, anchors = (torch.empty(n, DIM) for n in (request["new"], ANCHORS))
    for vectors in (queries, anchors):
        # A few at a time, for what making them takes would hide what mixing takes.
        for part in vectors.split(1024):
            at = torch.randint(200, (len(part),), generator=generator)
            part.normal_(std=1.2, generator=generator).add_(centres[at])
    before, found = peak_rss_bytes(), []
    ids = np.arange(ANCHORS)
    took = seconds(lambda: found.append(sparse_mix(queries, anchors, ids, temperature=1.0, budget=BUDGET)))
    mix = found[0]
    held = sum(part.nbytes for part in (mix.indptr, mix.indices, mix.weights))
    return {
        "seconds": took,
        "beyond_bytes": peak_rss_bytes() - before - held,
        "weights": len(mix.indices) / len(mix),
    }


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1].startswith("{"):
        print(json.dumps(measured(json.loads(sys.argv[1]))))
    else:
        sys.exit(main())
