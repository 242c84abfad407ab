"""OMP beside mergekit's ``mergekit-tokensurgeon`` on the same saved models: whole runs, one after the other.

Both sides load the two models, match their tokens, make the rows of one tied table and write the result, each in a
process of its own with the same number of threads; imports are not counted. The default takes a minute on two cores.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.extend(str(Path(__file__).resolve().parents[2] / folder) for folder in ("benchmarks", "tests"))
from measure import fresh, machine, row
from parity.environments import MERGEKIT, ask
from parity.llama_pairs import listed_pair


def main() -> int:
    """Print a Markdown table of both sides and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("new", 2_000), ("shared", 6_000), ("width", 1024), ("k", 32), ("threads", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pair = listed_pair(folder, given.shared, given.new, widths=(given.width, given.width))
        request = {key: str(path) for key, path in vars(pair).items()} | {"k": given.k, "threads": given.threads}
        ours = fresh(Path(__file__).with_name("omp_ours.py"), request | {"out": str(folder / "ours")})
        run = [str(pair.model), str(pair.donor), str(folder / "theirs"), "-a", "omp", "-k", str(given.k)]
        run += ["-j", str(given.threads)]
        theirs = ask(MERGEKIT, "mergekit_worker.py", {"runs": [run], "threads": given.threads})
    size = f"{given.new:,} new tokens, {given.shared:,} shared, width {given.width:,}, k {given.k}"
    print(f"{machine()}; {given.threads} threads; {size}; one run\n")
    print("| what | Lexigraft | mergekit 0.1.5 | ratio |\n|---|---|---|---|")
    print(row("whole run", ours["seconds"], theirs["seconds"][0], "s"))
    print(row("processor time", ours["processor_seconds"], theirs["processor_seconds"], "s"))
    print(row("peak memory", ours["peak_bytes"] / 2**30, theirs["peak_bytes"] / 2**30, "GiB"))
    print(f"\nOurs: the rows themselves took {ours['plan_seconds']:.2f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
