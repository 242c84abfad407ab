"""Bounds on tokenizer files, checked before a library allocates what the file announces."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from lexigraft.core.errors import LexigraftError

MOST_IDS = 2**24
"""Ids of the largest vocabulary that is read; the largest ones published have some hundred thousand."""
LONGEST_TOKEN = 4096
"""Bytes of the longest token of a tiktoken file, whose splits are all tried."""

_LARGE = re.compile(rb"[0-9]{8}")
_HARD_TEXT = " ".join(character * 60 + "!" for character in "aA0-.ا中") + " " * 60 + "\n" * 60 + "ab" * 60 + "_"
"""Runs on which a regular expression that tries every way of splitting them does not end."""


def refuse_large_id(number: int, path: Path) -> None:
    """Refuse an id, or a number of them, that no vocabulary has.

    Raises:
        LexigraftError: It is larger than :data:`MOST_IDS`.
    """
    if number > MOST_IDS:
        raise LexigraftError("token id is too large", f"{path}: {number}", f"At most {MOST_IDS:,} ids are read")


def refuse_large_ids(path: Path) -> None:
    """Refuse a ``tokenizer.json`` or ``vocab.json`` with a large id: a list up to it would fill the memory.

    Args:
        path: The file; what is no JSON is left to its reader.

    Raises:
        LexigraftError: There is such an id.
    """
    raw = path.read_bytes()
    if not _LARGE.search(raw):  # a hundred times as fast as parsing
        return
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError):
        return
    model = content.get("model") if isinstance(content, dict) else None
    vocabulary = model.get("vocab") if isinstance(model, dict) else content
    ids = vocabulary.values() if isinstance(vocabulary, dict) else ()
    refuse_large_id(max((i for i in ids if isinstance(i, int)), default=0), path)


def is_panic(error: BaseException) -> bool:
    """Whether an error is a panic of ``tokenizers``, which is none of Python's ``Exception``."""
    return type(error).__name__ == "PanicException"


def try_hard_text(backend: Any) -> None:
    """Encode a text that is hard for regular expressions.

    The engine behind ``tokenizers`` ends a match after ten million steps, a tenth of a second, with a panic: found
    here, it is an error of the file instead of an interruption in the middle of a corpus.

    Args:
        backend: A ``tokenizers.Tokenizer``.
    """
    # A token that it lacks is not what is looked for: tokenizers raises Exception itself for it. A panic is none.
    with suppress(Exception):
        backend.encode(_HARD_TEXT, add_special_tokens=False)
