"""What the surgery benchmark takes before any weight is read: libraries, both vocabularies, the model's class."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import lexigraft.api.graft  # noqa: F401
from lexigraft.core.models.disk_model import DiskModel
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.utils.memory import peak_rss_bytes


def main(request: dict[str, Any]) -> dict[str, int]:
    """The peak resident size of the process."""
    folder = Path(request["folder"])
    loaded = [load_vocabulary(folder / side) for side in ("model", "target")]
    skeleton = DiskModel(str(folder / "model")).skeleton
    assert all(v.surfaces and v.hash for v in loaded)
    assert skeleton.device.type == "meta"
    return {"peak_bytes": peak_rss_bytes()}


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
