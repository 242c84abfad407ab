"""What starting costs: `import lexigraft` and `lexigraft --help` beside Python doing nothing; the best of ten runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

sys.path.extend(str(Path(__file__).resolve().parents[2] / folder) for folder in ("benchmarks", "tests"))
from measure import machine, seconds

RUNS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "python -c 'import lexigraft'": [sys.executable, "-c", "import lexigraft"],
    "lexigraft --help": [str(Path(sys.executable).with_name("lexigraft")), "--help"],
}


def main() -> int:
    """Print a Markdown table."""
    print(f"{machine()}; best of ten\n")
    print("| what | time | beyond Python itself |\n|---|--:|--:|")
    took = {name: min(_once(run) for _ in range(10)) for name, run in RUNS.items()}
    bare = min(took.values())
    for name, best in took.items():
        print(f"| `{name}` | {best:.3f} s | {best - bare:.3f} s |")
    return 0


def _once(run: list[str]) -> float:
    return seconds(lambda: subprocess.run(run, check=True, capture_output=True))


if __name__ == "__main__":
    sys.exit(main())
