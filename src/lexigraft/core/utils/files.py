"""Atomic writes of files and folders."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatchcase
from pathlib import Path

from lexigraft.core.errors import LexigraftError

OUR_FILES = ("lexigraft.json", "tokenizer_config.json")
"""Of these each folder that a command writes holds one."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling that replaces ``path`` when the block ends without an error.

    Args:
        path: The file to write; its folder is made when missing.

    Yields:
        The temporary path to write to.

    Raises:
        LexigraftError: The disk is full, the folder cannot be written, or something else than a file is at the path.
    """
    if os.path.lexists(path) and not path.is_file():
        raise LexigraftError("cannot write the file", path, "Something else than a file is there")
    path = Path(os.path.realpath(path))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise LexigraftError("cannot write the file", path, error.strerror or str(error)) from error
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~current_umask())
        os.replace(temporary, path)
    except OSError as error:
        raise LexigraftError("cannot write the file", path, error.strerror or str(error)) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Write a text file atomically: even after a crash or on a full disk, readers see the old file or the new one."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def lock_file(path: Path, refusal: LexigraftError, *, remove: bool = False, wait_seconds: float = 0) -> Iterator[None]:
    """Hold a lock file for this process; the system releases the lock when the process ends, also after a crash.

    Args:
        path: The lock file; made when missing, in a folder that exists.
        refusal: The error for the case that another process holds the lock.
        remove: Whether the file is deleted at the end; a process that opened it meanwhile starts over with a new file.
        wait_seconds: How long to wait for another process before the refusal; below 0 without end.

    Yields:
        Nothing; the lock is held inside the block.

    Raises:
        LexigraftError: ``refusal``.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    try:
        lock.acquire(timeout=wait_seconds)
    except Timeout:
        raise refusal from None
    try:
        yield
    finally:
        if remove:
            path.unlink(missing_ok=True)
        lock.release()


@contextlib.contextmanager
def made_once(path: Path, say: Callable[[str], None] = lambda text: None) -> Iterator[None]:
    """Keep other processes from making the same file or folder; they wait here, and must then look whether it is there.

    Args:
        path: What is made; its folder is made when missing.
        say: Called with a line where another process is making it.

    Yields:
        Nothing; no other process is inside the block.

    Raises:
        LexigraftError: The folder cannot be written.
    """
    lock = path.with_name(f".{path.name}.lock")
    busy = LexigraftError("another process is making this", path, "Wait for it")
    with ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                stack.enter_context(lock_file(lock, busy, remove=True))
            except LexigraftError:
                say(f"another process is making {path.name}; waiting for it")
                stack.enter_context(lock_file(lock, busy, remove=True, wait_seconds=-1))
        except OSError as error:
            raise LexigraftError("cannot write the file", path, error.strerror or str(error)) from error
        yield


def sync_tree(folder: Path) -> None:
    """Flush every file under a folder, and the folder, to the disk."""
    for path in [p for p in folder.rglob("*") if p.is_file()] + [folder]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def current_umask() -> int:
    """The mask of permissions of this process."""
    current = os.umask(0o022)
    os.umask(current)
    return current


def refuse_other_output(out: Path) -> None:
    """Refuse an output path that no folder can be at.

    Raises:
        LexigraftError: Something else is there (a file, a pipe, a device, a link that leads nowhere or in a circle), it
            lies under a file, or the system does not take the name.
    """
    hint = "Choose another --out"
    try:
        if not stat.S_ISDIR(os.stat(out).st_mode):
            raise LexigraftError("output is a file, not a folder", out, hint)
    except FileNotFoundError:
        if os.path.islink(out):
            raise LexigraftError("output is a link that leads nowhere", out, hint) from None
    except NotADirectoryError:
        raise LexigraftError("output lies under a file", out, hint) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise LexigraftError("cannot write the output folder", out, reason) from None


def refuse_existing(out: Path, force: bool) -> None:
    """Refuse an output folder that exists; with ``force`` only one that Lexigraft did not write.

    Raises:
        LexigraftError: The folder exists (and is not empty) and ``force`` is off or another program's files are in it;
            or as :func:`refuse_other_output`.
    """
    refuse_other_output(out)
    if not out.is_dir() or not any(out.iterdir()):
        return
    if not force:
        raise LexigraftError("output folder exists", out, "Choose another --out, or pass --force to replace it")
    if not any((out / name).is_file() for name in OUR_FILES):
        hint = "--force replaces only folders that Lexigraft wrote; delete this one yourself, or choose another --out"
        raise LexigraftError("output folder holds something else than a model or tokenizer", out, hint)


@contextmanager
def emptied_after_error(folder: Path) -> Iterator[None]:
    """Delete the empty folders under a new folder, and itself if nothing is in it, when the block ends with an error.

    Args:
        folder: The folder that the block may make; one that exists already is left as it is.
    """
    new = not folder.exists()
    try:
        yield
    except BaseException:
        if new:
            inner = (path for path in folder.rglob("*") if path.is_dir() and not path.is_symlink())
            for path in [*sorted(inner, reverse=True), folder]:
                with contextlib.suppress(OSError):
                    path.rmdir()
        raise


@contextmanager
def whole_folder(
    out: Path, force: bool, resume: Collection[str] | None = None, keep_after: tuple[type[Exception], ...] = ()
) -> Iterator[Path]:
    """Yield a temporary sibling folder that replaces ``out`` when the block ends without an error.

    Args:
        out: The folder to write.
        force: Whether a folder that exists is replaced.
        resume: Names of large files that a later run may reuse, or patterns of names. With them a run that is killed or
            interrupted leaves its draft folder, and the next run finds these files in it, perhaps incomplete; it must
            check them. Two such runs cannot write one folder at the same time. A run that fails with an error deletes
            its draft.
        keep_after: Errors after which the draft stays nevertheless.

    Yields:
        The temporary folder.

    Raises:
        LexigraftError: The folder exists and ``force`` is off, or the disk is full or read-only, or another run is
            writing the folder.
    """
    refuse_existing(out, force)
    out = out.resolve()
    with ExitStack() as stack:
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            if resume is None:
                draft = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
            else:
                draft = out.with_name(f".{out.name}.unfinished")
                hint = "Wait for it, or choose another --out"
                refusal = LexigraftError("another run is writing the output folder", out, hint)
                stack.enter_context(lock_file(draft.with_name(f"{draft.name}.lock"), refusal, remove=True))
                draft.mkdir(exist_ok=True)
                _clear(draft, resume)
        except OSError as error:
            raise LexigraftError("cannot write the output folder", out, error.strerror or str(error)) from error
        try:
            yield draft
            _set_default_permissions(draft)
            sync_tree(draft)
            refuse_existing(out, force)  # again: another program may have put something there meanwhile
            if out.exists():
                old = Path(tempfile.mkdtemp(prefix=f".{out.name}.old.", dir=out.parent))
                os.replace(out, old / "folder")
                os.replace(draft, out)
                shutil.rmtree(old)
            else:
                os.replace(draft, out)
        except BaseException as error:
            if resume is None or (isinstance(error, Exception) and not isinstance(error, keep_after)):
                shutil.rmtree(draft, ignore_errors=True)
            if isinstance(error, Exception) and _is_disk_error(error):
                raise LexigraftError(
                    "cannot write the output folder", out, f"{error}; nothing was left behind"
                ) from error
            raise


def _clear(folder: Path, kept: Collection[str]) -> None:
    """Delete everything in a folder but files of these names or patterns."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.is_symlink() or not any(fnmatchcase(path.name, pattern) for pattern in kept):
            path.unlink()


def _set_default_permissions(folder: Path) -> None:
    """Give files and folders the default permissions; some libraries write files that only the owner can read."""
    mask = current_umask()
    for path in [folder, *folder.rglob("*")]:
        path.chmod((0o777 if path.is_dir() else 0o666) & ~mask)


def _is_disk_error(error: Exception) -> bool:
    """Whether an error comes from the disk: safetensors wraps the system's error in an exception of its own."""
    text = str(error).lower()
    return isinstance(error, OSError) or "no space left" in text or "(os error " in text
