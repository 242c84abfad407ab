"""WECHSEL's mixtures beside wechsel: 250,002 source tokens, ten neighbours, token vectors given.

    python benchmarks/neighbours.py --new 50000

Both sides get the same made vectors and the same source table; nothing but neighbours, weights and rows is timed.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from measure import asked, floors, fresh, machine, row, seconds
from parity.environments import WECHSEL, ask
from parity.sentencepiece_pairs import xlmr_tokenizer

SOURCE, DIM, WIDTH = 250_002, 300, 768


def main() -> int:
    """Print a Markdown table of both sides and their ratios."""
    given = asked(__doc__, new=5_000, threads=2)
    with tempfile.TemporaryDirectory() as name:
        for side, size in (("source", SOURCE), ("target", given.new)):
            xlmr_tokenizer(size).save_pretrained(f"{name}/{side}")
        request = {"folder": name, "new": given.new, "threads": given.threads}
        ours = fresh(Path(__file__), request)
        theirs = ask(WECHSEL, Path(__file__).with_name("neighbours_peer.py"), request)
    product = 2 * given.new * SOURCE * DIM / floors(given.threads).multiply
    print(f"{machine()}; {given.threads} threads; {given.new:,} new tokens × {SOURCE:,}, {DIM} dimensions; one run\n")
    print("| what | Lexigraft | wechsel 0.0.4 | ratio |\n|---|---|---|---|")
    print(row("mixtures and rows", ours["seconds"], theirs["seconds"], "s"))
    print(row("memory beyond tables and vectors", ours["beyond_bytes"] / 1e9, theirs["beyond_bytes"] / 1e9, "GB"))
    times = ours["seconds"] / product
    print(f"\nThe cosines of all pairs are a matrix product that takes {product:.1f} s at this machine's rate;")
    print(f"ours took {times:.1f} times as long. Rows differ by at most {theirs['apart']:.0e}.")
    return 0


def measured(request: dict[str, str]) -> dict[str, float]:
    """Seconds, and how far memory rose above vectors, table and rows; the inputs and rows are left in the folder."""
    import numpy as np
    import torch

    from lexigraft.core.combining import combine
    from lexigraft.core.mixes import softmax_mix
    from lexigraft.core.pipeline import peak_rss_bytes
    from lexigraft.core.similarity import default_memory_budget

    torch.set_num_threads(int(request["threads"]))
    generator = torch.Generator().manual_seed(0)
    shapes = {"queries": (int(request["new"]), DIM), "anchors": (SOURCE, DIM), "table": (SOURCE, WIDTH)}
    made = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    for name, values in made.items():
        np.save(f"{request['folder']}/{name}.npy", values.numpy())
    options = {"k": 10, "temperature": 0.1, "budget": default_memory_budget()}
    before, found = peak_rss_bytes(), []

    def work() -> None:
        mix = softmax_mix(made["queries"], made["anchors"], np.arange(SOURCE), **options)
        found.append(combine(mix, made["table"]))

    took = seconds(work)
    np.save(f"{request['folder']}/rows.npy", found[0].numpy())
    return {"seconds": took, "beyond_bytes": peak_rss_bytes() - before - found[0].nbytes}


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1].startswith("{"):
        print(json.dumps(measured(json.loads(sys.argv[1]))))
    else:
        sys.exit(main())
