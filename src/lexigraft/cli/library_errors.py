"""Messages for errors of other libraries that a user's file, disk or server causes."""

from __future__ import annotations

import errno
import traceback
from pathlib import Path

from lexigraft.core.errors import LexigraftError

_READERS = frozenset(
    {
        "_csv", "_pickle", "csv", "datasets", "fasttext", "gzip", "h5py", "httpx", "huggingface_hub", "json",
        "lzma", "mlflow", "peft", "pickle", "pyarrow", "requests", "safetensors", "safetensors_rust",
        "sentencepiece", "sqlalchemy", "sqlite3", "struct", "tarfile", "tokenizers", "transformers", "urllib3",
        "yaml", "zipfile", "zlib",
    }
)  # fmt: skip
"""Packages whose own exceptions speak of what they read."""

_READS = ("from_pretrained", "from_dict", "from_file", "from_json", "from_buffer", "load", "read", "open", "parse")
"""Beginnings of the names of functions that read; an error inside one of them, of a reader, is about what it reads."""

_DISK = frozenset({errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT})
_MOST_SHOWN = 300
_ROOT = Path(__file__).parent.parent


def as_user_error(error: BaseException) -> LexigraftError | None:
    """The message for an error whose cause is a user's file, disk, memory or server.

    Args:
        error: What a command ended with.

    Returns:
        The message, or ``None`` for a fault of our own.
    """
    said = (" ".join(str(error).split()) or type(error).__name__)[:_MOST_SHOWN]
    if isinstance(error, OSError) and error.errno in _DISK:
        where = f"{error.strerror or error}: {error.filename or ''}"
        return LexigraftError("the disk refused", where, "Free space or choose another folder")
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return LexigraftError("the memory is not enough", said, "Use a smaller model, batch or file, or fewer --jobs")
    if isinstance(error, OSError) and error.filename is not None:
        return LexigraftError("cannot use the file", error.filename, error.strerror or said)
    if reader := _reader(error):
        return LexigraftError(f"{reader} cannot use what it was given", said, "Check the files that the command names")
    return None


def _reader(error: BaseException) -> str | None:
    """The library that raised the error over what it read, if one did."""
    kind = type(error)
    if (package := kind.__module__.partition(".")[0]) in _READERS:
        return package.removesuffix("_rust").lstrip("_")
    if package == "pyo3_runtime" or kind is Exception:  # what tokenizers raises has no class of its own
        return "tokenizers"
    if not isinstance(error, Exception):
        return None
    frames = list(traceback.extract_tb(error.__traceback__))
    ours = max((n for n, frame in enumerate(frames) if Path(frame.filename).is_relative_to(_ROOT)), default=-1)
    for frame in frames[ours + 1 :]:
        folders = _READERS.intersection(Path(frame.filename).with_suffix("").parts)
        if folders and frame.name.lstrip("_").startswith(_READS):
            return sorted(folders)[0]
    return None
