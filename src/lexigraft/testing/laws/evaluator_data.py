"""Laws of an evaluator's data."""

from __future__ import annotations

import shutil
from pathlib import Path

from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.evaluator import Files
from lexigraft.testing.evaluator_trial import Data, replaced
from lexigraft.testing.law import Law, LawBroken, NotApplicable, require, skip_unless

_GARBAGE = bytes(range(255, 0, -1)) * 3 + b'\n{[\t"<x>\n\n'


def _sample_is_complete(data: Data) -> None:
    files, declared = data.sample.files, data.evaluator.files
    required = {name for name, file in declared.items() if file.required}
    lacking = f"the sample has {sorted(files)}, the evaluator declares {sorted(declared)}"
    require(required <= set(files) <= set(declared) and (bool(files) or not declared), lacking)
    outside = [path for paths in files.values() for path in paths if data.root not in Path(path).parents]
    require(not outside, f"written outside the sample's folder: {', '.join(outside)}")


def _required_files_suffice(data: Data) -> None:
    required = _only_required(data)
    skip_unless(bool(required), "no file is required by itself: some of them stand for others")
    read = data.read(required)
    if required.keys() != data.sample.files.keys():
        require(read.hash != data.read_once.hash, "the hash is the same without the files that are not required")


def _missing_file_is_refused(data: Data) -> None:
    skip_unless(bool(data.evaluator.files), "the evaluator reads no files")
    for name in _only_required(data):
        _require_refusal(data, {key: paths for key, paths in data.sample.files.items() if key != name}, name)
    for name in data.sample.files:
        missing = data.folder() / "not_there"
        _require_refusal(data, replaced(data.sample.files, name, missing), missing.name)


def _require_refusal(data: Data, files: Files, said: str) -> None:
    try:
        data.read(files)
    except LexigraftError as refusal:
        require(said in str(refusal), f"the refusal does not name {said}: {refusal}")
    else:
        raise LawBroken(f"read without {said}")


def _damage_is_refused_clearly(data: Data) -> None:
    """Where a damaged file can still be read, nothing is said; where it cannot, there is one clear refusal."""
    skip_unless(bool(data.evaluator.files), "the evaluator reads no files")
    for name, (original, *_) in data.sample.files.items():
        for content in (b"", _GARBAGE):
            path = data.folder() / Path(original).name
            path.write_bytes(content)
            try:
                data.read(replaced(data.sample.files, name, path))
            except NotApplicable:
                raise
            except LexigraftError:
                continue
            except Exception as error:  # anything else would be a traceback for the user
                damage = "empty" if not content else "damaged"
                raise LawBroken(f"a file of {name} that is {damage} raises {type(error).__name__}: {error}") from None


def _hash_is_of_the_content(data: Data) -> None:
    moved: dict[str, list[str]] = {}
    for name, paths in data.sample.files.items():
        folder = data.folder()
        copied = [shutil.copytree if Path(path).is_dir() else shutil.copy for path in paths]
        moved[name] = [str(copy(path, folder / Path(path).name)) for copy, path in zip(copied, paths, strict=True)]
    require(data.read(moved).hash == data.read_once.hash, "the same files in another folder have another hash")


def _data_is_sound(data: Data) -> None:
    read = data.read_once
    require(isinstance(read.hash, str) and len(read.hash) >= 32, f"the hash is {read.hash!r}")
    require(type(read.size) is int and read.size > 0, f"the size is {read.size!r}")
    for name in ("unseen", "notes"):
        lines = getattr(read, name)
        sound = isinstance(lines, tuple) and all(isinstance(line, str) and line.strip() for line in lines)
        require(sound, f"{name} is not a tuple of lines")


def _only_required(data: Data) -> Files:
    return {name: paths for name, paths in data.sample.files.items() if data.evaluator.files[name].required}


LAWS = tuple(
    Law(name, "data", check, on_fixtures=False)
    for name, check in {
        "the sample has the required files": _sample_is_complete,
        "the data is sound": _data_is_sound,
        "the required files suffice": _required_files_suffice,
        "a missing file is refused": _missing_file_is_refused,
        "a damaged file is refused clearly": _damage_is_refused_clearly,
        "the hash is of the content": _hash_is_of_the_content,
    }.items()
)
