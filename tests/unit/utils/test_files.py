"""Writes of whole files and folders: what stands in the way is named, and nothing that is not ours is replaced."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from lexigraft.core.errors import LexigraftError
from lexigraft.core.utils.files import emptied_after_error, refuse_existing, whole_folder, write_whole


def a_socket(path: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as server:
        here = os.open(path.parent, os.O_RDONLY)
        server.bind(f"/proc/self/fd/{here}/{path.name}")
        os.close(here)
    return path


def link(path: Path, to: str | Path) -> Path:
    path.symlink_to(to)
    return path


def made(path: Path, make: Callable[[Path], object]) -> Path:
    make(path)
    return path


IN_THE_WAY: dict[str, tuple[Callable[[Path], Path], str]] = {
    "file": (lambda p: made(p / "out", Path.touch), "is a file"),
    "pipe": (lambda p: made(p / "out", os.mkfifo), "is a file"),
    "socket": (lambda p: a_socket(p / "out"), "is a file"),
    "device": (lambda p: Path("/dev/null"), "is a file"),
    "link to a device": (lambda p: link(p / "out", "/dev/null"), "is a file"),
    "link that leads nowhere": (lambda p: link(p / "out", "gone"), "leads nowhere"),
    "link in a circle": (lambda p: link(p / "out", "out"), "cannot write"),
    "under a circle": (lambda p: link(p / "loop", "loop") / "out", "cannot write"),
    "under a file": (lambda p: made(p / "file", Path.touch) / "deep" / "out", "under a file"),
    "long name": (lambda p: p / ("n" * 256), "cannot write"),
    "long name in UTF-8": (lambda p: p / ("ñ" * 128), "cannot write"),
    "name that is too long for the draft beside it": (lambda p: p / ("n" * 250), "cannot write"),
    "long path": (lambda p: p.joinpath(*["deep"] * 1000), "cannot write"),
    "NUL": (lambda p: p / "a\0b", "cannot write"),
}


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("case", IN_THE_WAY)
def test_an_output_path_that_cannot_be_a_folder_is_one_error_and_stays_as_it_is(
    case: str, force: bool, tmp_path: Path
) -> None:
    make, message = IN_THE_WAY[case]
    out = make(tmp_path)
    before = {p: p.lstat().st_mode for p in tmp_path.iterdir()}
    for resume in (None, ("model.safetensors",)):
        with pytest.raises(LexigraftError, match=message), whole_folder(out, force, resume):
            pytest.fail("the block must not run")
    assert {p: p.lstat().st_mode for p in tmp_path.iterdir()} == before
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_force_replaces_only_what_lexigraft_wrote(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    refuse_existing(out, force=False)
    (out / "thesis.tex").write_text("precious")
    with pytest.raises(LexigraftError, match="something else than a model"), whole_folder(out, force=True):
        pytest.fail("the block must not run")
    assert (out / "thesis.tex").read_text() == "precious"
    (out / "lexigraft.json").write_text("{}")
    with whole_folder(out, force=True) as folder:
        (folder / "new.txt").write_text("new")
    assert [p.name for p in out.iterdir()] == ["new.txt"]


class _CanGoOn(LexigraftError):
    pass


def test_a_draft_stays_after_an_error_that_a_later_run_can_go_on_from(tmp_path: Path) -> None:
    out = tmp_path / "out"
    found: list[str] = []

    def failing(error: BaseException) -> None:
        with whole_folder(out, force=False, resume=("part-*.gz", "index"), keep_after=(_CanGoOn,)) as folder:
            found[:] = sorted(path.name for path in folder.iterdir())
            for name in ("part-1.gz", "part-1.txt", "index", "index2"):
                (folder / name).touch()
            raise error

    for error in (_CanGoOn("disk is full"), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            failing(error)
        assert found == ([] if isinstance(error, _CanGoOn) else ["index", "part-1.gz"])
    with pytest.raises(LexigraftError, match="bad input"):
        failing(LexigraftError("bad input"))
    assert list(tmp_path.iterdir()) == []


def test_what_appears_in_the_place_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(LexigraftError, match="is a file"), whole_folder(out, force=True):
        os.mkfifo(out)
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    assert stat.S_ISFIFO(out.stat().st_mode)


def test_a_link_to_a_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    out = link(tmp_path / "out", "real")
    with whole_folder(out, force=False) as folder:
        (folder / "new.txt").write_text("new")
    assert out.is_symlink()
    assert (tmp_path / "real" / "new.txt").exists()


FILES_MAY_BE = ("file", "NUL", "name that is too long for the draft beside it")


@pytest.mark.parametrize("case", [case for case in IN_THE_WAY if case not in FILES_MAY_BE])
def test_a_file_is_not_written_over_anything_but_a_file(case: str, tmp_path: Path) -> None:
    path = IN_THE_WAY[case][0](tmp_path)
    with pytest.raises(LexigraftError, match="cannot write the file"):
        write_whole(path, "text")


def test_a_file_behind_a_link_is_written_and_the_link_stays(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("old")
    write_whole(link(tmp_path / "link.txt", "real.txt"), "new")
    assert (tmp_path / "real.txt").read_text() == "new"
    assert (tmp_path / "link.txt").is_symlink()


def fail_after(out: Path, *made: str) -> None:
    with emptied_after_error(out):
        for name in made:
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            (out / name).touch() if "." in name else (out / name).mkdir()
        raise ValueError("late")


def test_a_new_folder_goes_with_an_error_unless_something_is_in_it(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for made, left in (
        (("prepared/vectors",), None),
        (("empty", "prepared/tokenizer.json"), ["prepared", "prepared/tokenizer.json"]),
        (("empty",), ["empty", "prepared", "prepared/tokenizer.json"]),
    ):
        with pytest.raises(ValueError, match="late"):
            fail_after(out, *made)
        assert (sorted(str(p.relative_to(out)) for p in out.rglob("*")) if out.exists() else None) == left
