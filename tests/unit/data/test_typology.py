"""Typological distances of five made languages, computed by hand; lookup of languages; broken folders."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from fixtures.typology import write_typology
from lexigraft.core.data.typology.database import Typology, load_typology
from lexigraft.core.data.typology.distances import Distance, kilometers
from lexigraft.core.errors import LexigraftError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_typology(tmp_path_factory.mktemp("typology"))


@pytest.fixture(scope="module")
def data(folder: Path) -> Typology:
    return load_typology(folder)


def between(data: Typology, one: str, two: str) -> dict[str, Distance]:
    return data.distances(data.find(one), data.find(two))


def test_feature_distances_by_hand(data: Typology) -> None:
    found = between(data, "aaa", "bbb")
    # Completed syntax 1011 and 1010: 1 - 2 / (√3 √2). Known in both: SVO and SOV, where 10 and 10 are equal.
    assert found["syntax"].value == pytest.approx(1 - 2 / math.sqrt(6))
    assert (found["syntax"].observed, found["syntax"].known, found["syntax"].features) == (0.0, 2, 4)
    assert found["phonology"].value == 1.0  # 10 and 01 share nothing
    assert found["inventory"].value == pytest.approx(1 - 1 / math.sqrt(2))  # 10 and 11
    # All eight: 10111010 and 10100111 have 5 ones each and share 3.
    assert found["features"].value == pytest.approx(1 - 3 / 5)
    assert found["features"].known == 6


def test_genealogy_geography_and_wals_by_hand(data: Typology) -> None:
    found = between(data, "aaa", "bbb")
    assert found["genealogy"].value == pytest.approx(1 - 2 / math.sqrt(3 * 2))  # groups 1110 and 1100
    assert between(data, "aaa", "ccc")["genealogy"].value == 1.0
    # A quarter of the equator is half of half the circumference.
    assert found["geography"].value == pytest.approx(0.5)
    assert kilometers(found["geography"]) == pytest.approx(math.pi / 2 * 6371)
    # 1A, 2A, 3A are known in both, 2A differs; five features occur in all. Alfa has more values than Alfa (Old).
    assert found["wals"].value == pytest.approx(1 / 3)
    assert (found["wals"].known, found["wals"].features) == (3, 5)


def test_a_language_is_at_no_distance_from_itself(data: Typology) -> None:
    found = between(data, "aaa", "aaa")
    assert {kind: distance.value for kind, distance in found.items()} == pytest.approx(dict.fromkeys(found, 0.0))


def test_what_is_missing_is_said_and_never_a_number(data: Typology) -> None:
    found = between(data, "aaa", "ccc")
    assert found["syntax"].value is not None, "URIEL's completed features have it"
    assert (found["syntax"].known, found["syntax"].observed) == (0, None)
    assert found["geography"] == Distance("geography", None, missing="no table has the place of ccc")
    assert found["wals"].missing == "WALS has no values of ccc"
    assert between(data, "aaa", "iso")["genealogy"].missing == "URIEL has no family of iso"


def test_without_completed_features_only_known_ones_count(tmp_path: Path) -> None:
    home = write_typology(tmp_path / "data")
    (home / "lang2vec/feature_predictions.npz").unlink()
    data = load_typology(home)
    assert between(data, "aaa", "bbb")["syntax"].value == 0.0
    nothing = between(data, "aaa", "ccc")["syntax"]
    assert (nothing.value, nothing.missing) == (None, "no feature is known in both")


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ("aaa", "aaa"), ("AAA", "aaa"), ("aaa_Latn", "aaa"), ("al", "aaa"), ("al-Cyrl", "aaa"), ("Alfa", "aaa"),
        ("alfa", "aaa"), ("Bravo (northern)", "bbb"), ("Lost", "wals:non"), ("mac", "mac"),
    ],
)  # fmt: skip
def test_languages_are_found(data: Typology, asked: str, code: str) -> None:
    assert data.find(asked).code == code


def test_a_name_of_two_languages_is_refused_with_both(data: Typology) -> None:
    with pytest.raises(LexigraftError, match=r"several languages have this name: bravo.*bbb \(Bravó.*ccc \(Bravó"):
        data.find("bravo")


@pytest.mark.parametrize("asked", ["zzz", "xx", "Charlie", "", "  "])
def test_an_unknown_language_is_refused(data: Typology, asked: str) -> None:
    with pytest.raises(LexigraftError, match="no language of this code or name"):
        data.find(asked)


def test_a_close_name_is_suggested(data: Typology) -> None:
    with pytest.raises(LexigraftError, match=r"Did you mean aaa \(Alfa\)\?"):
        data.find("Allfa")


def test_glottocodes_come_from_glottolog(tmp_path: Path, data: Typology) -> None:
    with pytest.raises(LexigraftError, match="nothing there has glottocodes"):
        data.find("alfa1234")
    home = write_typology(tmp_path / "data")
    (home / "glottolog").mkdir()
    rows = "ID,Name,ISO639P3code,Latitude,Longitude\nalfa1234,Alfa,aaa,0,0\nchar1234,Charlie,ccc,0,180\n"
    (home / "glottolog/languages.csv").write_text(rows)
    both = load_typology(home)
    assert both.find("alfa1234").code == "aaa"
    assert both.find("Charlie").code == "ccc"
    assert between(both, "aaa", "ccc")["geography"].value == pytest.approx(1.0)
    with pytest.raises(LexigraftError, match="no language of this glottocode"):
        both.find("none1234")


def test_tables_of_cldf_are_read(tmp_path: Path) -> None:
    (tmp_path / "languages.csv").write_text(
        "ID,Name,Macroarea,Latitude,Longitude,Glottocode,ISO639P3code,Family,Genus\n"
        "one,Alfa,X,0,0,alfa1234,aaa,F,G\ntwo,Bravo,X,0,90,brav1234,bbb,F,G\n"
    )
    (tmp_path / "values.csv").write_text(
        "ID,Language_ID,Parameter_ID,Value,Code_ID\n1,one,1A,1,1A-1\n2,two,1A,2,1A-2\n3,one,2A,4,2A-4\n4,two,2A,4,2A-4\n"
    )
    found = between(load_typology(tmp_path), "alfa1234", "Bravo")
    assert found["wals"].value == 0.5
    assert found["syntax"].missing == "URIEL has no syntax of aaa and bbb"


def test_values_that_are_not_filled_in_count_nowhere(tmp_path: Path) -> None:
    home = write_typology(tmp_path / "data")
    path = home / "lang2vec/feature_predictions.npz"
    with np.load(path) as arrays:
        kept = dict(arrays)
    kept["data"][1, 2:4, 0] = [-1, math.nan]  # syntax of bbb: 1 0 and two unknown, of aaa 1 0 1 1
    np.savez(path, **kept)
    assert between(load_typology(home), "aaa", "bbb")["syntax"].value == 0.0


def test_broken_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LexigraftError, match="folder of typological data not found"):
        load_typology(tmp_path / "none")
    with pytest.raises(LexigraftError, match="holds no typological data"):
        load_typology(tmp_path)


@pytest.mark.parametrize(
    ("file", "content", "error"),
    [
        ("lang2vec/feature_averages.npz", b"no archive", "URIEL file cannot be read"),
        ("lang2vec/letter_codes.json", b"{", "list of language codes cannot be read"),
        ("lang2vec/letter_codes.json", b"[1]", "unexpected form"),
        ("wals/languages.csv", b"code,title\na,b\n", "table has no column wals_code, iso_codes, name"),
        ("wals/values.csv", b"wals_code,parameter\n", "table has no column value"),
        ("wals/languages.csv", b"wals_code,iso_codes,name,latitude,longitude\na,aaa,A,north,0\n", "not two numbers"),
        ("wals/languages.csv", b"wals_code,iso_codes,name\n\xff,aaa,A\n", "text is not UTF-8"),
    ],
)
def test_broken_files_are_refused(tmp_path: Path, file: str, content: bytes, error: str) -> None:
    home = write_typology(tmp_path / "data")
    (home / file).write_bytes(content)
    with pytest.raises(LexigraftError, match=error):
        load_typology(home)


def test_arrays_that_do_not_fit_and_pickles_are_refused(tmp_path: Path) -> None:
    home = write_typology(tmp_path / "data")
    path = home / "lang2vec/feature_averages.npz"
    np.savez(path, langs=np.array(["aaa"]), feats=np.array(["S_A"]), data=np.zeros((2, 1)))
    with pytest.raises(LexigraftError, match="unexpected form"):
        load_typology(home)
    np.savez(path, langs=np.array(["aaa"], object), feats=np.array(["S_A"]), data=np.zeros((1, 1)))
    with pytest.raises(LexigraftError, match="cannot be read"):
        load_typology(home)


def test_values_without_their_languages_are_refused(tmp_path: Path) -> None:
    home = write_typology(tmp_path / "data")
    (home / "wals/values.csv").unlink()
    with pytest.raises(LexigraftError, match=r"no values\.csv"):
        load_typology(home)
