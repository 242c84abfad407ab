"""Runs inside mergekit's environment: its ``mergekit-tokensurgeon`` command, several times in one process."""

from __future__ import annotations

import json
import os
import sys
import time
from importlib.metadata import entry_points

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch

from lexigraft.core.utils.memory import peak_rss_bytes

COMMAND = "mergekit-tokensurgeon"


def main(request: dict[str, object]) -> dict[str, object]:
    """Run the command with each list of arguments; answer with the seconds of each run, all in all and by processor."""
    torch.set_num_threads(int(request.get("threads", 1)))
    (script,) = entry_points(group="console_scripts", name=COMMAND)
    command = script.load()
    seconds, processor = [], time.process_time()
    for arguments in request["runs"]:
        began = time.perf_counter()
        command(args=[*arguments, "--quiet"], standalone_mode=False)
        seconds.append(time.perf_counter() - began)
    return {
        "seconds": seconds,
        "processor_seconds": time.process_time() - processor,
        "peak_bytes": peak_rss_bytes(),
    }


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
