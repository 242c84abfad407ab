"""Word lists: directions, pivots, counts, rejected lines."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from lexigraft.core.config.recipe import DictionarySettings
from lexigraft.core.data.dictionary import Dictionary, load_dictionary
from lexigraft.core.errors import LexigraftError


def settings(path: Path, text: bytes, **more: bool) -> DictionarySettings:
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return DictionarySettings(path=[str(path)], **more)


@pytest.mark.parametrize("name", ["d.tsv", "d.tsv.gz"])
def test_pairs_in_both_directions(tmp_path: Path, name: str) -> None:
    text = b"house\twasi\n dog \tallqu\nhouse\twasi\n"
    found = load_dictionary(settings(tmp_path / name, text))
    assert found.pairs == (("house", "wasi"), ("dog", "allqu"))
    assert (found.weights, found.rejected) == (None, 0)
    turned = load_dictionary(settings(tmp_path / name, text, reverse=True))
    assert turned.pairs == (("wasi", "house"), ("allqu", "dog"))
    assert turned.hash != found.hash == Dictionary.of(found.pairs).hash


def test_rejected_lines_are_counted(tmp_path: Path) -> None:
    found = load_dictionary(settings(tmp_path / "d.tsv", b"a\tb\n\nalone\nx\t\na\tb\tc\nq\tr\t0\nu\tv\tw\tz\n"))
    assert found.pairs == (("a", "b"),)
    assert found.rejected == 6


def test_counts_add_up_and_are_written_back(tmp_path: Path) -> None:
    found = load_dictionary(settings(tmp_path / "d.tsv", b"a\tb\t2\nc\td\na\tb\t3\n"))
    assert found.weights == (5.0, 1.0)
    found.write(tmp_path / "new" / "out.tsv")
    again = load_dictionary(DictionarySettings(path=[str(tmp_path / "new" / "out.tsv")]))
    assert (again.pairs, again.weights, again.hash) == (found.pairs, found.weights, found.hash)
    assert os.listdir(tmp_path / "new") == ["out.tsv"]


def test_large_counts_survive_writing(tmp_path: Path) -> None:
    Dictionary.of([("a", "b")], [12345678.0]).write(tmp_path / "d.tsv")
    assert load_dictionary(DictionarySettings(path=[str(tmp_path / "d.tsv")])).weights == (12345678.0,)


def test_pivot_joins_over_the_first_column(tmp_path: Path) -> None:
    (tmp_path / "es.tsv").write_text("house\tcasa\nhouse\thogar\ndog\tperro\n")
    (tmp_path / "qu.tsv").write_text("house\twasi\nsun\tinti\n")
    pivot = (str(tmp_path / "es.tsv"), str(tmp_path / "qu.tsv"))
    assert load_dictionary(DictionarySettings(pivot=pivot)).pairs == (("casa", "wasi"), ("hogar", "wasi"))
    (tmp_path / "qu.tsv").write_text("sun\tinti\n")
    with pytest.raises(LexigraftError, match=r"no usable pair.*share no first column"):
        load_dictionary(DictionarySettings(pivot=pivot))


def test_bad_lists_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LexigraftError, match=r"no usable pair.*2 lines were rejected"):
        load_dictionary(settings(tmp_path / "d.tsv", b"one\ntwo\n"))
    with pytest.raises(LexigraftError, match=r"not UTF-8.*line 2"):
        load_dictionary(settings(tmp_path / "d.tsv", b"a\tb\n\xff\tb\n"))
    with pytest.raises(LexigraftError, match="dictionary not found"):
        load_dictionary(DictionarySettings(path=["nowhere.tsv"]))


DATA = Path(os.environ.get("LEXIGRAFT_DATA", "../shared/data"))


@pytest.mark.real
@pytest.mark.skipif(not DATA.is_dir(), reason=f"no real data at {DATA} (set LEXIGRAFT_DATA)")
@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("multilingual/gatitos/en_qu.tsv.gz", 3500),
        ("multilingual/gatitos/en_gn.tsv.gz", 3500),
        ("swahili/wiktionary-en-sw.tsv.gz", 5000),
    ],
)
def test_real_lists_are_read_nearly_whole(name: str, least: int) -> None:
    found = load_dictionary(DictionarySettings(path=[str(DATA / name)]))
    assert len(found) >= least
    assert found.rejected < 0.01 * len(found)
