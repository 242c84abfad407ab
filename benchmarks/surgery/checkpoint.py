"""A graft of a checkpoint that memory need not hold, beside a plain copy of its files and beside loading the model.

    python benchmarks/surgery/checkpoint.py
    python benchmarks/surgery/checkpoint.py --gigabytes 16

The checkpoint is made on disk: Llama's shape (4,096 wide, untied tables), bfloat16, several shards, random weights. It
needs twice its size there. The peer loads it with transformers, resizes its tables and saves it; it runs where
twice the checkpoint fits the free memory. The copy is made before and after our run, so that other work on the disk is
seen. All of them start without the checkpoint in the system's cache and end with what they wrote on the disk.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from lexigraft.core.models.checkpoint import open_checkpoint
from lexigraft.core.models.streaming import Copied, holds

sys.path.extend(str(Path(__file__).resolve().parents[2] / folder) for folder in ("benchmarks", "tests"))
from measure import fresh, machine


def main() -> int:
    """Print a Markdown table, the ratios, and whether the body is the same."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("gigabytes", 4), ("tokens", 128_000), ("shared", 32_000), ("new", 32_000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--folder", type=Path, help="on the disk to measure; default: the system's temporary folder")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        request = vars(given) | {"folder": name}
        made = fresh(Path(__file__).with_name("checkpoint_model.py"), request)
        source = folder / "model"
        before = copy_seconds(source, folder / "copy")
        forget(source)
        ours = fresh(Path(__file__).with_name("checkpoint_ours.py"), request)
        bare = fresh(Path(__file__).with_name("checkpoint_bare.py"), request)
        same, others = same_tensors(source, folder / "ours")
        shutil.rmtree(folder / "ours")
        after = copy_seconds(source, folder / "copy")
        theirs = None
        if 2 * made["bytes"] < available_bytes():
            forget(source)
            theirs = fresh(Path(__file__).with_name("checkpoint_peer.py"), request)
    copy, tables, peak = (before + after) / 2, ours["table_bytes"], ours["peak_bytes"]
    peer = [f"{theirs['seconds']:,.0f} s", f"{theirs['peak_bytes'] / 2**30:,.2f} GiB"] if theirs else ["—", "—"]
    size = f"{made['bytes'] / 1e9:,.1f} GB in {made['shards']} shards"
    print(f"{machine()}; {size}, {given.new:,} of {given.new + given.shared:,} tokens new; one run\n")
    print("| what | Lexigraft | plain copy | transformers: load, resize, save |\n|---|---|---|---|")
    print(f"| whole run | {ours['seconds']:,.0f} s | {before:,.0f} s, {after:,.0f} s | {peer[0]} |")
    print(f"| of it, writing and verifying | {ours['save_seconds']:,.0f} s | | |")
    print(f"| peak memory | {peak / 2**30:,.2f} GiB | | {peer[1]} |")
    rest = f"the rest {(peak - tables) / 1e6:,.0f} MB"
    print(f"\nOf the peak, {tables / 1e6:,.0f} MB are the old tables as stored and the new ones in float32, {rest};")
    print(f"the libraries and the two vocabularies alone take {bare['peak_bytes'] / 1e6:,.0f} MB.")
    whole, writing = copy / ours["seconds"], copy / ours["save_seconds"]
    print(f"Speed as a share of the copy's: {whole:.2f} in the whole run, {writing:.2f} in writing and verifying.")
    print(f"Tensors beside the tables that are the source's, byte for byte: {same} of {others}.")
    return 0


def available_bytes() -> int:
    """Memory that can be had without swapping."""
    line = next(s for s in Path("/proc/meminfo").read_text().splitlines() if s.startswith("MemAvailable"))
    return int(line.split()[1]) * 1024


def forget(folder: Path) -> None:
    """Take a folder's files out of the system's cache."""
    os.sync()
    for path in folder.iterdir():
        handle = os.open(path, os.O_RDONLY)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)


def copy_seconds(source: Path, out: Path) -> float:
    """Copy a folder, wait until it is on the disk, and take the copy away."""
    forget(source)
    began = time.perf_counter()
    shutil.copytree(source, out)
    for path in out.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    seconds = time.perf_counter() - began
    shutil.rmtree(out)
    return seconds


def same_tensors(source: Path, out: Path) -> tuple[int, int]:
    """How many of the tensors that are no tables have the source's bytes; how many there are."""
    after = open_checkpoint(out).tensors
    others = [
        t
        for t in open_checkpoint(source).tensors.values()
        if "embed_tokens" not in t.name and t.name != "lm_head.weight"
    ]
    pairs = [(tensor, after[tensor.name]) for tensor in others]
    return sum(holds(b.path, b.start, [Copied(a.path, a.start, a.length)]) for a, b in pairs), len(pairs)


if __name__ == "__main__":
    sys.exit(main())
