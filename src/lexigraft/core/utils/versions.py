"""Versions of Python and of packages, and the commit of the code, recorded with each result."""

from __future__ import annotations

import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


@cache
def code_version() -> tuple[str, bool]:
    """The commit of the checkout this file is tracked in and its dirty flag; else the package's version and False."""
    here = Path(__file__).resolve()
    if _git(here, "ls-files", "--error-unmatch", here.name) is not None and (commit := _git(here, "rev-parse", "HEAD")):
        return commit, bool(_git(here, "status", "--porcelain", "--untracked-files=no"))
    try:
        return version("lexigraft"), False
    except PackageNotFoundError:
        return "unknown", False


def _git(here: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(here.parent), *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


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
    """Python's and the relevant packages' versions, found without importing them."""
    by_name = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            by_name[package] = version(package)
        except PackageNotFoundError:
            by_name[package] = "not installed"
    return by_name


def result_versions() -> dict[str, str]:
    """The versions that a result depends on, and that its key holds therefore."""
    return {name: versions()[name] for name in ("lexigraft", "torch", "transformers", "peft", "tokenizers")}
