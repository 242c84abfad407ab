"""The losses of a short adaptation of a made model, on the GPU where this process sees one."""

from __future__ import annotations

import json
import sys
from typing import Any

import measure  # noqa: F401
from fixtures.adapting import adapted, load


def main(request: dict[str, Any]) -> dict[str, list[float]]:
    """Nats, step by step."""
    model, vocabulary = load(request["fixture"])
    done = adapted(model, vocabulary, {"steps": 8, "precision": request["precision"]})
    return {"losses": [loss for _, loss in done.losses]}


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
