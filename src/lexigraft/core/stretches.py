"""A stretch of one file appended to another by the system itself, past the memory of this process."""

from __future__ import annotations

import errno
import os
import sys
from io import FileIO

AT_ONCE = 2**23
"""Bytes in one request, after which the process can be interrupted."""

_CANNOT = {errno.EINVAL, errno.ENOSYS, errno.ENOTSOCK, errno.EOPNOTSUPP}


def append_stretch(file: FileIO, source: FileIO, start: int, length: int, *, cached: bool = True) -> int:
    """Append a stretch of ``source`` to ``file``.

    Args:
        file: Where it is written, at its position, which moves on.
        source: Where it is read.
        start: Where the stretch begins.
        length: Its bytes.
        cached: Whether the system may keep what was read and written in its cache. Of files that memory cannot hold
            together, it would keep what is not read again, and drop what other programs need.

    Returns:
        How many bytes went over: fewer where the source ends too early, 0 where the system cannot do it.
    """
    if sys.platform != "linux":
        return 0
    done = 0
    while done < length:
        try:
            sent = os.sendfile(file.fileno(), source.fileno(), start + done, min(AT_ONCE, length - done))
        except OSError as fault:
            if done or fault.errno not in _CANNOT:
                raise
            return 0
        if not sent:
            break
        if not cached:
            os.posix_fadvise(source.fileno(), start + done, sent, os.POSIX_FADV_DONTNEED)
            # What is not on the disk yet begins to be written, what is there leaves the cache.
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        done += sent
    return done
