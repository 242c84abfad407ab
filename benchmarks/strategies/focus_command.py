"""The whole command `lexigraft graft --strategy focus` at XLM-R's size, with vectors out of a fastText .bin.

A random XLM-R base (250,002 pieces × 768, 12 layers) gets 50,000 Swahili tokens; the vectors are learned from Swahili
news with fastText's own number of buckets, 2,000,000, a file of 2.4 GB. It needs 6 GB in the temporary folder.
Each run is a process of its own; the files lie in the system's cache.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

sys.path.extend(str(Path(__file__).resolve().parents[2] / folder) for folder in ("benchmarks", "tests"))
from measure import ROOT, asked, machine, medians, seconds
from parity.sentencepiece_pairs import Pair, real_pair


def main() -> int:
    """Print a Markdown table: peak memory, and seconds of the whole command and of its parts."""
    given = asked(__doc__, threads=2, runs=3, buckets=2_000_000, layers=12)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        training = {"dim": 300, "epoch": 5, "minCount": 2, "bucket": given.buckets, "thread": given.threads}
        pair = real_pair(folder, 40_000, width=768, **training)
        save_model(pair, given.layers)
        sizes = [path.stat().st_size / 1e9 for path in (pair.source / "model.safetensors", pair.vectors)]
        found = medians([command(pair, folder, given.threads) for _ in range(given.runs)])
    print(f"{machine()}; {given.threads} threads; model {sizes[0]:.1f} GB, vectors {sizes[1]:.1f} GB; ", end="")
    print(f"medians of {given.runs} runs\n")
    print("| what | Lexigraft |\n|---|--:|")
    print(f"| peak memory | {found['peak_bytes'] / 1e9:.2f} GB |")
    print(f"| whole command | {found['whole']:.2f} s |")
    for stage in ("load", "align", "vectors", "plan", "rows", "save"):
        print(f"| of it, {stage} | {found[stage]:.2f} s |")
    return 0


def save_model(pair: Pair, layers: int) -> None:
    """A random XLM-R beside the source tokenizer, with the pair's table in it."""
    import torch
    from transformers import XLMRobertaConfig, XLMRobertaForMaskedLM

    table = torch.from_numpy(np.load(pair.table))
    torch.manual_seed(0)
    ids = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2}
    config = XLMRobertaConfig(vocab_size=len(table), num_hidden_layers=layers, max_position_embeddings=514, **ids)
    model = XLMRobertaForMaskedLM(config)
    with torch.no_grad():
        model.get_input_embeddings().weight.copy_(table)
    model.save_pretrained(pair.source)


def command(pair: Pair, folder: Path, threads: int) -> dict[str, Any]:
    """Run it; its own peak resident size, its stages in seconds, and the seconds of the whole process."""
    words = {
        "source": pair.source,
        "target-tokenizer": pair.target,
        "target-vectors": pair.vectors,
        "out": folder / "out",
    }
    run = [sys.executable, "-m", "lexigraft", "graft", "--strategy", "focus", "--json", "--force"]
    run += [part for name, path in words.items() for part in (f"--{name}", str(path))]
    paths = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "PYTHONPATH": paths}
    done: list[subprocess.CompletedProcess[str]] = []
    whole = seconds(
        lambda: done.append(subprocess.run(run, stdout=subprocess.PIPE, text=True, check=True, env=environment))
    )
    facts = json.loads(done[0].stdout)
    return {"peak_bytes": facts["peak_rss_bytes"], "whole": whole} | facts["seconds"]


if __name__ == "__main__":
    sys.exit(main())
