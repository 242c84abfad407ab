"""Files in a folder of another machine, listed there by ``python -m lexigraft.core.remote.file_list FOLDER …``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection
from pathlib import Path

MODULE = "lexigraft.core.remote.file_list"


def list_files(folder: Path, left_out: Collection[str] = ()) -> dict[str, list[int]]:
    """Size and time of change, in seconds, of every file by its path in the folder.

    Files and folders whose names begin with a dot are locks and drafts, and are left out.

    Args:
        folder: The folder; one that does not exist holds no files.
        left_out: Names in the folder itself that are left out too.
    """
    found: dict[str, list[int]] = {}
    for home, folders, files in os.walk(folder):
        hidden = left_out if home == str(folder) else ()
        folders[:] = [name for name in folders if name[0] != "." and name not in hidden]
        for name in files:
            path = Path(home, name)
            if name[0] != "." and name not in hidden and path.is_file():
                stat = path.stat()
                found[str(path.relative_to(folder))] = [stat.st_size, int(stat.st_mtime)]
    return found


if __name__ == "__main__":
    print(json.dumps(list_files(Path(sys.argv[1]), sys.argv[2:])))
