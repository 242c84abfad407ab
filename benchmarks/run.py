"""`make bench`: every benchmark beside its peer at a size that takes minutes, one after the other.

    python benchmarks/run.py [NAME ...]

Larger sizes are options of the scripts themselves; what they printed is in docs/benchmarks.md.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPTS = (
    "startup",
    "matching",
    "focus",
    "focus_command",
    "mixtures",
    "neighbours",
    "omp",
    "tokenising",
    "surgery",
    "adaptation",
)


def main(wanted: list[str]) -> int:
    """Run all, or those named; 2 for a name that is none, else the first exit status that is not 0."""
    if unknown := sorted(set(wanted) - set(SCRIPTS)):
        print(f"no such benchmark: {', '.join(unknown)}; known: {', '.join(SCRIPTS)}", file=sys.stderr)
        return 2
    for name in wanted or SCRIPTS:
        print(f"\n## {name}\n", flush=True)
        if status := subprocess.run([sys.executable, str(Path(__file__).with_name(f"{name}.py"))]).returncode:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
