"""Dictionary files of each format, made by hand, and broken ones."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from lexigraft.core.data.dictionary_formats.reading import read_rows
from lexigraft.core.errors import LexigraftError

TEXT = "wasi\n\nhouse, home\nrumi\n\nstone\nmayus\n\nPlural of {mayu}\n"
# "wasi..." has 18 bytes from 0, "rumi..." 12 from 18, "mayus..." 24 from 30; in base 64 B is 1, S 18, M 12, e 30, Y 24.
INDEX = "00databaseutf8\tA\tB\nmayus\te\tY\nrumi\tS\tM\nwasi\tA\tS\n"


def dictd(folder: Path, index: str = INDEX, text: bytes = TEXT.encode()) -> Path:
    (folder / "d.index").write_text(index, encoding="utf-8")
    (folder / "d.dict.dz").write_bytes(gzip.compress(text))
    return folder / "d.dict.dz"


def stardict(folder: Path, types: str = "", long: bool = False) -> Path:
    first = {"": "tˈwasi\0mhouse, home\0", "tm": "ˈwasi\0house, home", "h": "<div>house, home</div>"}
    second = {"": "mstone", "tm": "ˈrumi\0stone", "h": "<b>stone</b>"}
    entries = [first.get(types, "house, home").encode(), second.get(types, "stone").encode()]
    index, at = b"", 0
    for word, data in zip(["wasi", "rumi"], entries, strict=True):
        index += word.encode() + b"\0" + struct.pack(">QI" if long else ">II", at, len(data))
        at += len(data)
    facts = "StarDict's dict ifo file\nversion=3.0.0\n"
    facts += f"sametypesequence={types}\n" if types else ""
    facts += "idxoffsetbits=64\n" if long else ""
    (folder / "s.ifo").write_text(facts)
    (folder / "s.idx").write_bytes(index)
    (folder / "s.dict").write_bytes(b"".join(entries))
    return folder / "s.ifo"


WORDS = [("wasi", "house", None), ("wasi", "home", None), ("rumi", "stone", None)]


def test_dictd_from_either_file_by_its_numbers(tmp_path: Path) -> None:
    path = dictd(tmp_path)
    rumi, wasi = WORDS[2], WORDS[:2]
    assert list(read_rows(path)) == [None, rumi, *wasi]
    assert list(read_rows(tmp_path / "d.index")) == [None, rumi, *wasi]
    dictd(tmp_path, index="Wasi\tA\tS\twasi\n")
    assert list(read_rows(path)) == wasi, "the fourth column is the headword as it is written"


def test_places_of_dictd_that_cannot_be_are_rejected(tmp_path: Path) -> None:
    beyond = dictd(tmp_path, index="rumi\tS\tM\na\te\tZ\nb\tA\nc\t*\tB\nd\tA\tA\ne\tAAAAAAAAAAAA\tB\n\tA\tB\n")
    assert list(read_rows(beyond)) == [WORDS[2]] + [None] * 6


@pytest.mark.parametrize("types", ["", "m", "tm", "h"])
@pytest.mark.parametrize("long", [False, True])
def test_stardict_with_each_kind_of_field(tmp_path: Path, types: str, long: bool) -> None:
    assert list(read_rows(stardict(tmp_path, types, long))) == WORDS


def test_a_dict_file_beside_an_ifo_is_stardict(tmp_path: Path) -> None:
    stardict(tmp_path, "m")
    assert list(read_rows(tmp_path / "s.dict")) == WORDS


def test_tables_of_one_entry_a_line(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("wasi\ta house\t3\nrumi\n")
    assert list(read_rows(tmp_path / "a.tsv")) == [("wasi", "a house", 3.0), None]
    (tmp_path / "m.txt").write_text("wasi house\nrumi\tstone\na b c\n")
    assert list(read_rows(tmp_path / "m.txt")) == [("wasi", "house", None), ("rumi", "stone", None), None]
    (tmp_path / "p.tsv").write_text(
        "quy\twasi\teng\thouse\t7\neng\tstone\tquy\trumi\nquy\twasi\tspa\tcasa\nquy\twasi\n"
    )
    chosen = list(read_rows(tmp_path / "p.tsv", "panlex", ("quy", "eng")))
    assert chosen == [("wasi", "house", 7.0), ("rumi", "stone", None), None]
    with pytest.raises(LexigraftError, match=r"more than two languages: .*line 3: quy, spa"):
        list(read_rows(tmp_path / "p.tsv", "panlex"))


def broken(name: str, data: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        dictd(folder)
        stardict(folder, "m")
        (folder / name).write_bytes(data)
        return folder / ("s.ifo" if name.startswith("s.") else "d.index" if name.startswith("d.") else name)

    return make


def without(name: str, path: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        broken("x", b"")(folder)
        (folder / name).unlink()
        return folder / path

    return make


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (without("d.index", "d.dict.dz"), r"a file of the dictionary is missing: .*d\.index"),
        (without("s.dict", "s.ifo"), r"a file of the dictionary is missing: .*s\.dict"),
        (without("d.index", "d.index"), "dictionary not found"),
        (broken("d.dict.dz", gzip.compress(TEXT.encode())[:-12]), "dictionary file is damaged"),
        (broken("d.dict.dz", gzip.compress(bytes(2**27))), "grows without measure"),
        (broken("d.dict.dz", gzip.compress(TEXT.encode().replace(b"wasi", b"w\xe9si"))), r"not UTF-8: .*\(wasi\)"),
        (broken("s.ifo", b"Something\n"), r"not the \.ifo of a StarDict dictionary"),
        (broken("s.idx", b"wasi\0\0\0"), "index of the dictionary is damaged"),
        (broken("s.idx", b"w" * 5000), "index of the dictionary is damaged"),
        (broken("x.doc", b""), "no known format of dictionary"),
    ],
)
def test_a_broken_file_is_one_error(tmp_path: Path, make: Callable[[Path], Path], said: str) -> None:
    path = make(tmp_path)
    with pytest.raises(LexigraftError, match=said):
        list(read_rows(path))
