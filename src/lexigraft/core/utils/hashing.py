"""Content hashes of files, folders and settings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_SAMPLED_ABOVE = 2**30
_SAMPLE = 2**22


def hash_of(values: Any) -> str:
    """SHA-256 of plain values, independent of the order of keys."""
    text = json.dumps(values, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of a file's content; of files above 1 GiB, of the size and 256 evenly spread blocks of 4 MiB."""
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        if size <= _SAMPLED_ABOVE:
            while block := file.read(_SAMPLE):
                digest.update(block)
        else:
            for n in range(256):
                file.seek(n * (size - _SAMPLE) // 255)
                digest.update(file.read(_SAMPLE))
    return digest.hexdigest()


def model_hash(path: str) -> str:
    """SHA-256 of a local checkpoint's content (configuration, weights, tokenizer), or of the name on the Hub."""
    folder = Path(path).expanduser()
    if not folder.is_dir():
        return hash_of({"hub": path})
    wanted = (
        "*.safetensors",
        "config.json",
        "generation_config.json",
        "tokenizer*.json",
        "*.model",
        "vocab.*",
        "merges.txt",
    )
    files = sorted({f for pattern in wanted for f in folder.glob(pattern)})
    return hash_of({f.name: file_hash(f) for f in files})


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, str | int | float | bool]:
    """Flatten nested settings to ``a.b: value`` pairs, the form of MLflow's parameters."""
    pairs: dict[str, str | int | float | bool] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            pairs |= flat(value, f"{prefix}{key}.")
        else:
            pairs[prefix + key] = (
                value if isinstance(value, str | int | float | bool) else json.dumps(value, default=str)
            )
    return pairs
