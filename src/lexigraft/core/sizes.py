"""Sizes as people write them: ``2GB``, ``500MiB``."""

from __future__ import annotations

import re

from lexigraft.core.errors import LexigraftError

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


def parse_size(text: str) -> int:
    """Bytes of a size such as ``2GB`` (10^9), ``2GiB`` (2^30), ``500m`` or ``1048576``.

    Raises:
        LexigraftError: Not a size.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?i?)b?\s*", text.lower())
    if not found or found[2] == "i" or float(found[1]) == 0:
        raise LexigraftError("not a memory size", text, "Write for example 2GB or 500MiB")
    return int(float(found[1]) * _UNITS[found[2]])
