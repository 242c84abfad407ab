"""Laws of the files that a plug-in reads."""

from __future__ import annotations

import shutil
from pathlib import Path

from lexigraft.core.config.input_files import Files
from lexigraft.core.errors import LexigraftError
from lexigraft.testing.law import Law, LawBroken, NotApplicable, require, skip_unless
from lexigraft.testing.sample_data import SampleData, replaced

_GARBAGE = bytes(range(255, 0, -1)) * 3 + b'\n{[\t"<x>\n\n'


def _sample_is_complete(data: SampleData) -> None:
    files, declared = data.files, data.declared
    required = {name for name, file in declared.items() if file.required}
    lacking = f"the sample has {sorted(files)}, the plug-in declares {sorted(declared)}"
    require(required <= set(files) <= set(declared) and (bool(files) or not declared), lacking)
    outside = [path for paths in files.values() for path in paths if data.root not in Path(path).parents]
    require(not outside, f"written outside the sample's folder: {', '.join(outside)}")


def _required_files_suffice(data: SampleData) -> None:
    required = _only_required(data)
    skip_unless(bool(required), "no file is required by itself: some of them stand for others")
    read = data.read(required)
    if required.keys() != data.files.keys():
        require(read.hash != data.read_once.hash, "the hash is the same without the files that are not required")


def _missing_file_is_refused(data: SampleData) -> None:
    skip_unless(bool(data.declared), "the plug-in reads no files")
    for name in _only_required(data):
        _require_refusal(data, {key: paths for key, paths in data.files.items() if key != name}, name)
    for name in data.files:
        missing = data.folder() / "not_there"
        _require_refusal(data, replaced(data.files, name, missing), missing.name)


def _require_refusal(data: SampleData, files: Files, said: str) -> None:
    try:
        data.read(files)
    except LexigraftError as refusal:
        require(said in str(refusal), f"the refusal does not name {said}: {refusal}")
    else:
        raise LawBroken(f"read without {said}")


def _damage_is_refused_clearly(data: SampleData) -> None:
    """Where a damaged file can still be read, nothing is said; where it cannot, there is one clear refusal."""
    skip_unless(bool(data.declared), "the plug-in reads no files")
    for name, (original, *_) in data.files.items():
        for content in (b"", _GARBAGE):
            path = data.folder() / Path(original).name
            path.write_bytes(content)
            try:
                data.read(replaced(data.files, name, path))
            except NotApplicable:
                raise
            except LexigraftError:
                continue
            except Exception as error:  # anything else would be a traceback for the user
                damage = "empty" if not content else "damaged"
                raise LawBroken(f"a file of {name} that is {damage} raises {type(error).__name__}: {error}") from None


def _hash_is_of_the_content(data: SampleData) -> None:
    skip_unless(data.read_once is not None, "the plug-in reads nothing")
    moved: dict[str, list[str]] = {}
    for name, paths in data.files.items():
        folder = data.folder()
        copied = [shutil.copytree if Path(path).is_dir() else shutil.copy for path in paths]
        moved[name] = [str(copy(path, folder / Path(path).name)) for copy, path in zip(copied, paths, strict=True)]
    require(data.read(moved).hash == data.read_once.hash, "the same files in another folder have another hash")


def _only_required(data: SampleData) -> Files:
    return {name: paths for name, paths in data.files.items() if data.declared[name].required}


LAWS = tuple(
    Law(name, "data", check, on_fixtures=False)
    for name, check in {
        "the sample has the required files": _sample_is_complete,
        "the required files suffice": _required_files_suffice,
        "a missing file is refused": _missing_file_is_refused,
        "a damaged file is refused clearly": _damage_is_refused_clearly,
        "the hash is of the content": _hash_is_of_the_content,
    }.items()
)
