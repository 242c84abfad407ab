"""Our half of the surgery benchmark, in a process of its own."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from lexigraft.api.graft import graft
from lexigraft.core.models.checkpoint import open_checkpoint

sys.path.extend(str(Path(__file__).resolve().parents[2] / folder) for folder in ("benchmarks", "tests"))
from surgery.checkpoint_model import TABLES


def main(request: dict[str, Any]) -> dict[str, float]:
    """Seconds of the graft and of writing, the peak resident size, and what of it must be there in any case."""
    folder = Path(request["folder"])
    began = time.perf_counter()
    done = graft(str(folder / "model"), str(folder / "target"), "subword_mean", out=folder / "ours")
    seconds = time.perf_counter() - began
    old, new = (open_checkpoint(folder / side).tensors for side in ("model", "ours"))
    return {
        "seconds": seconds,
        "save_seconds": done.facts["seconds"]["save"],
        "peak_bytes": done.peak_rss_bytes,
        "table_bytes": sum(old[name].length + 4 * new[name].size for name in TABLES),
    }


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
