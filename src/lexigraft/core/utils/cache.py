"""Location of the cache folder."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """``LEXIGRAFT_CACHE``, or ``lexigraft`` in the user's cache folder."""
    given = os.environ.get("LEXIGRAFT_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(given) if given else Path(base) / "lexigraft"
