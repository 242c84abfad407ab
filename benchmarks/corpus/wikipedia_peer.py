"""The peer's half of the Wikipedia benchmark: its command, run inside wikiextractor's environment."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path


def main(request: dict[str, object]) -> dict[str, float]:
    """Seconds from the dump to the folder, with links and without expanded templates."""
    program = Path(sys.executable).with_name("wikiextractor")
    options = ["--links", "--no-templates", "--html-safe", "", "--processes", str(request["processes"]), "--quiet"]
    out = Path(str(request["folder"])) / "theirs"
    began = time.perf_counter()
    subprocess.run([program, request["dump"], *options, "-o", out], check=True, capture_output=True)
    seconds = time.perf_counter() - began
    articles = sum(file.read_text("utf-8").count("<doc id=") for file in out.rglob("wiki_*"))
    return {"seconds": seconds, "articles": articles}


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
