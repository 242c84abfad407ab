"""Which versions made a result."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version

PACKAGES = (
    "lexigraft",
    "torch",
    "transformers",
    "peft",
    "tokenizers",
    "fasttext-community",
    "entmax",
    "mlflow",
    "numpy",
)


@cache
def versions() -> dict[str, str]:
    """Python's and the relevant packages' versions; nothing is imported for it."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
