"""The peer's half of the tokenizing benchmark; runs inside deepfocus's environment, without training vectors."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ["XDG_CACHE_HOME"] = os.environ["HF_HOME"] = json.loads(sys.argv[1])["folder"] + "/cache"

import deepfocus.fasttext_embs as deepfocus
from transformers import PreTrainedTokenizerFast


def main(request: dict[str, object]) -> dict[str, object]:
    """Seconds from a text file to a file of tokens, and in how many lines it differs from ours."""
    folder = Path(str(request["folder"]))
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder / "tokenizer")
    written: list[str] = []
    deepfocus.fasttext.train_unsupervised = lambda path, **_: written.append(path)
    began = time.perf_counter()
    deepfocus.train_fasttext(request["text"], tokenizer, 1, 300, 10, processes=request["threads"])
    seconds = time.perf_counter() - began
    lines = [path.read_text(encoding="utf-8").split("\n") for path in (Path(written[0]), folder / "ours.txt")]
    return {"seconds": seconds, "apart": sum(a != b for a, b in zip(*lines, strict=True)), "lines": len(lines[0])}


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
