"""`make bench`: alignment and FOCUS beside deepfocus, 250,002 XLM-R pieces to 50,000 Swahili tokens; one run each.

Both sides read the same files, with the same number of threads, each in a process of its own, one after the other.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from measure import fresh, machine, row
from parity.environments import DEEPFOCUS, ask
from parity.sentencepiece_pairs import DATA, real_pair


def main() -> int:
    """Print a Markdown table of both sides and their ratios; 2 when the data is not there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    threads: int = parser.parse_args().threads
    if not DATA.exists():
        print(f"no data at {DATA}; name its folder in LEXIGRAFT_DATA", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = {key: str(path) for key, path in vars(real_pair(folder)).items()}
        request = files | {"threads": threads}
        ours = fresh(Path(__file__).with_name("ours.py"), request)
        theirs = ask(DEEPFOCUS, "deepfocus_worker.py", request | {"out": str(folder / "theirs.npz")})
    print(f"{machine()}; {threads} threads; {theirs['overlap']:,} shared, {theirs['new']:,} new, one run\n")
    print("| what | Lexigraft | deepfocus 1.0.1 | ratio |\n|---|---|---|---|")
    print(row("alignment", ours["align_seconds"], theirs["align_seconds"], "s"))
    print(row("FOCUS, alignment and vectors included", ours["focus_seconds"], theirs["focus_seconds"], "s"))
    print(row("peak memory", ours["peak_bytes"] / 2**30, theirs["peak_bytes"] / 2**30, "GiB"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
