"""The sqlite database of a tracking store."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote

from lexigraft.core.errors import LexigraftError
from lexigraft.core.utils.files import current_umask, lock_file

_SQLITE = "sqlite:///"
_OTHERS_SECONDS = 60.0
_DRAFT = ".unfinished"
_FIRST_TABLES = {"experiments", "runs", "tags", "metrics", "params"}
_QUERY = re.compile(r"\?(\w+=[^/?]*)$")


class Database(NamedTuple):
    """A sqlite store.

    Attributes:
        file: Its file, absolute.
        query: Options for the driver that the URI ends with, ``?`` included.
    """

    file: Path
    query: str = ""

    @property
    def uri(self) -> str:
        """The URI with which MLflow opens exactly this file: ``%`` and ``?`` of the path are written as codes."""
        from sqlalchemy import make_url

        plain, coded = f"{_SQLITE}{self.file}{self.query}", f"{_SQLITE}{quote(str(self.file))}{self.query}"
        # Older SQLAlchemy takes codes in the path as they stand, newer decodes them.
        return next((uri for uri in (plain, coded) if make_url(uri).database == str(self.file)), plain)


def database_of(uri: str) -> Database | None:
    """The database behind a sqlite URI; None for other stores and for a database in memory.

    A path with ``%20`` may be a folder of that name, or a space written as a code: what exists decides, and the path as
    it stands where neither does.
    """
    rest = uri.removeprefix(_SQLITE)
    if rest == uri or not rest or rest.startswith((":memory:", "file:")):
        return None
    query = "" if Path(rest).exists() else next((m[0] for m in [_QUERY.search(rest)] if m), "")
    given = Path(rest.removesuffix(query)).resolve()
    decoded = Path(unquote(str(given)))
    readings = [given, decoded, given.parent, decoded.parent]
    found = next((i for i, path in enumerate(readings) if path.exists()), 0)
    return Database((given, decoded)[found % 2], query)


def open_whole(database: Database, open_store: Callable[[str], None]) -> None:
    """Make a database that is missing or half-made, and open it.

    MLflow makes its tables in dozens of steps, and cannot open what a kill left between them. So they are made in a
    file beside, which then takes its place. What cannot be opened and holds no run is made anew; one with runs never.

    Args:
        database: The database.
        open_store: Opens the store of a URI, and makes its tables where they are missing.

    Raises:
        Exception: Whatever MLflow raises for a database that holds runs, or for a file that is no database.
    """
    file = database.file
    file.parent.mkdir(parents=True, exist_ok=True)
    refusal = LexigraftError("another process is making the tracking database", file, "Try again")
    lock = file.with_name(f".{file.name}.lock")
    with lock_file(lock, refusal, remove=True, wait_seconds=_OTHERS_SECONDS):
        for left in file.parent.glob(f".{escape(file.name)}.*{_DRAFT}*"):
            left.unlink(missing_ok=True)
        if not file.exists() or (_without_runs(file) and not _opens(file, open_store)):
            with _draft(file) as draft:
                _opened(Database(draft), open_store)
                for path in _side_files(file):
                    path.unlink(missing_ok=True)
                os.replace(draft, file)
    _opened(database, open_store)


def _opens(file: Path, open_store: Callable[[str], None]) -> bool:
    """Whether a copy of a database can be opened: MLflow holds on to every file that it has opened once."""
    with _draft(file) as draft:
        shutil.copyfile(file, draft)
        try:
            _opened(Database(draft), open_store)
        except Exception:
            return False
        return True


@contextmanager
def _draft(file: Path) -> Iterator[Path]:
    """An empty file beside a database, of a name that this process has not opened yet; deleted at the end."""
    handle, name = tempfile.mkstemp(prefix=f".{file.name}.", suffix=_DRAFT, dir=file.parent)
    os.close(handle)
    draft = Path(name)
    draft.chmod(0o666 & ~current_umask())
    try:
        yield draft
    finally:
        for path in (draft, *_side_files(draft)):
            path.unlink(missing_ok=True)


def _opened(database: Database, open_store: Callable[[str], None]) -> None:
    """Open a store; the empty folder that MLflow makes for a path with codes, taken as it stands, goes again."""
    uri = database.uri
    mistaken = Path(uri.removeprefix(_SQLITE)).parent
    new = [p for p in (mistaken, *mistaken.parents) if not p.exists()]
    try:
        open_store(uri)
    finally:
        for folder in new:
            with suppress(OSError):
                folder.rmdir()


def _side_files(file: Path) -> list[Path]:
    return [file.with_name(f"{file.name}-{end}") for end in ("journal", "wal", "shm")]


def _without_runs(file: Path) -> bool:
    """Whether a file is one of MLflow's databases with no runs, no models, and no experiment but the default one."""
    with closing(sqlite3.connect(file, timeout=10)) as connection:
        found = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
        rows = {name: connection.execute(f'select count(*) from "{name}"').fetchone()[0] for name in found}
    # Steps that change a table fill another one, which then takes its name.
    tables = {name.removeprefix("_alembic_tmp_"): count for name, count in rows.items()}
    ours = tables.keys() <= _FIRST_TABLES or tables.keys() >= {"alembic_version", "experiments"}
    most = {"experiments": 1, "runs": 0, "registered_models": 0}
    return ours and all(tables.get(table, 0) <= count for table, count in most.items())
