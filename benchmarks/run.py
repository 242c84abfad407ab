"""`make bench`: every benchmark beside its peer at a size that takes minutes, one after the other.

    python benchmarks/run.py [NAME ...]

Larger sizes are options of the scripts themselves; what they printed is in docs/benchmarks.md.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPTS = {
    Path(path).stem: path
    for path in (
        "cli/startup.py",
        "matching/vocabularies.py",
        "strategies/focus.py",
        "strategies/focus_command.py",
        "linalg/mixtures.py",
        "strategies/wechsel_mixtures.py",
        "strategies/omp.py",
        "tokenization/tokenizing.py",
        "corpus/wikipedia.py",
        "tokenization/continued_bpe.py",
        "surgery/checkpoint.py",
        "training/adaptation.py",
    )
}


def main(wanted: list[str]) -> int:
    """Run all, or those named; 2 for a name that is none, else the first exit status that is not 0."""
    if unknown := sorted(set(wanted) - set(SCRIPTS)):
        print(f"no such benchmark: {', '.join(unknown)}; known: {', '.join(SCRIPTS)}", file=sys.stderr)
        return 2
    for name in wanted or SCRIPTS:
        print(f"\n## {name}\n", flush=True)
        if status := subprocess.run([sys.executable, str(Path(__file__).parent / SCRIPTS[name])]).returncode:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
