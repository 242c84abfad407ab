"""The losses of short adaptations of made models, on the GPU where this process sees one."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.extend(str(Path(__file__).resolve().parents[2] / folder) for folder in ("benchmarks", "tests"))
from fixtures.adapting import adapted, load


def main(request: dict[str, Any]) -> dict[str, list[float]]:
    """Nats, step by step, of each model in each precision, by both names."""
    found = {}
    for fixture in request["fixtures"]:
        for precision in request["precisions"]:
            model, vocabulary = load(fixture)
            done = adapted(model, vocabulary, {"steps": 8, "precision": precision})
            found[f"{fixture} in {precision}"] = [loss for _, loss in done.losses]
    return found


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
