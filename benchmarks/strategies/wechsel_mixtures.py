"""WECHSEL's mixtures beside wechsel: 250,002 source tokens, ten neighbours, token vectors given.

    python benchmarks/strategies/wechsel_mixtures.py --new 5000

Both sides get the same vectors and the same source table; nothing but neighbours, weights and rows is timed. First the
vectors are learned ones, from the character n-grams of a fastText model of Swahili news as WECHSEL makes them (with a
little noise, for some pieces have the same n-grams), then made ones that fill all 300 dimensions alike.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.extend(str(Path(__file__).resolve().parents[2] / folder) for folder in ("benchmarks", "tests"))
from measure import asked, floors, fresh, machine, row, seconds
from parity.environments import WECHSEL, ask
from parity.sentencepiece_pairs import real_pair, xlmr_tokenizer

SOURCE, DIM, WIDTH = 250_002, 300, 768


def main() -> int:
    """Print a Markdown table of both sides and their ratios for each kind of vectors."""
    given = asked(__doc__, new=5_000, threads=2)
    rate = floors(given.threads).multiply
    print(f"{machine()}; {given.threads} threads; {given.new:,} new tokens × {SOURCE:,}, {DIM} dimensions; one run\n")
    with tempfile.TemporaryDirectory() as name:
        request = {"folder": name, "new": given.new, "threads": given.threads}
        for kind, write in (("learned", _write_learned), ("made", _write_made)):
            write(Path(name), given.new)
            for side, size in (("source", SOURCE), ("target", given.new)):
                xlmr_tokenizer(size).save_pretrained(f"{name}/{side}")
            ours = fresh(Path(__file__), request)
            theirs = ask(WECHSEL, Path(__file__).with_name("wechsel_mixtures_peer.py"), request)
            beyond = [side["beyond_bytes"] / 1e9 for side in (ours, theirs)]
            print(f"| {kind} vectors | Lexigraft | wechsel 0.0.4 | ratio |\n|---|---|---|---|")
            print(row("mixtures and rows", ours["seconds"], theirs["seconds"], "s"))
            print(row("memory beyond tables and vectors", *beyond, "GB"))
            product = 2 * given.new * SOURCE * DIM / rate
            times = ours["seconds"] / product
            print(f"\nThe cosines of all pairs are a matrix product that takes {product:.1f} s at this machine's rate;")
            print(f"ours took {times:.1f} times as long. {theirs['alike']:.1%} of the rows are within 1e-5.\n")
    return 0


def _write_made(folder: Path, new: int) -> None:
    generator = np.random.default_rng(0)
    for name, rows in (("queries", new), ("anchors", SOURCE)):
        np.save(folder / f"{name}.npy", generator.standard_normal((rows, DIM), np.float32))


def _write_learned(folder: Path, new: int) -> None:
    import fasttext
    from transformers import PreTrainedTokenizerFast

    from lexigraft.adapters.vectors.files import mean_vectors

    pair = real_pair(folder, 40_000, width=WIDTH, dim=DIM, epoch=5, minCount=2, thread=2)
    model = fasttext.load_model(str(pair.vectors))
    for name, path, rows in (("queries", pair.target, new), ("anchors", pair.source, SOURCE)):
        tokenizer = PreTrainedTokenizerFast.from_pretrained(path)
        vectors = mean_vectors(model, tokenizer.convert_ids_to_tokens(range(rows)))
        noise = np.random.default_rng(rows).standard_normal(vectors.shape, np.float32)
        np.save(folder / f"{name}.npy", vectors + 1e-3 * np.abs(vectors).mean() * noise)


def measured(request: dict[str, str]) -> dict[str, float]:
    """Seconds, and how far memory rose above vectors, table and rows; the rows are left in the folder."""
    import torch

    from lexigraft.core.grafting.plan import combine
    from lexigraft.core.methods.mixtures import softmax_mix
    from lexigraft.core.utils.memory import default_memory_budget, peak_rss_bytes

    torch.set_num_threads(int(request["threads"]))
    names = ("queries", "anchors", "table")
    queries, anchors, table = (torch.from_numpy(np.load(f"{request['folder']}/{name}.npy")) for name in names)
    options = {"k": 10, "temperature": 0.1, "budget": default_memory_budget()}
    before, found = peak_rss_bytes(), []
    took = seconds(lambda: found.append(combine(softmax_mix(queries, anchors, np.arange(SOURCE), **options), table)))
    np.save(f"{request['folder']}/rows.npy", found[0].numpy())
    return {"seconds": took, "beyond_bytes": peak_rss_bytes() - before - found[0].nbytes}


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1].startswith("{"):
        print(json.dumps(measured(json.loads(sys.argv[1]))))
    else:
        sys.exit(main())
