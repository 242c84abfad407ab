"""Entities from Wikidata's JSON and from SQL dumps are the same; redirects lead to them."""

from __future__ import annotations

import gzip
from contextlib import closing
from pathlib import Path

import pytest

from fixtures.wikipedia import dump, items, page, sql, tables
from lexigraft.core.data.wikipedia.dump import Dump
from lexigraft.core.data.wikipedia.entities import EntityFiles, add_entities
from lexigraft.core.data.wikipedia.redirects import read_redirects
from lexigraft.core.data.wikipedia.site import Site
from lexigraft.core.data.wikipedia.title_index import Entity, TitleIndex, new_index
from lexigraft.core.errors import LexigraftError

SITE = Site("quwiki", {"katiguriya": 14})
ENTITIES = {
    "Lima": ("Q2868", {"en": "Lima", "es": "Lima (Perú)"}),
    "Qusqu": ("Q5582862", {"en": 'Cusco\'s\t"old" \\ town'}),
    "P'unchaw": ("Q573", {"es": "Día"}),
    "Ñawpa simi": ("Q1", {}),
}


def index(folder: Path, files: dict[str, bytes], languages: tuple[str, ...] = ("en",)) -> EntityFiles:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    with new_index(folder / "index") as writer:
        return add_entities([folder / name for name in files], SITE, languages, writer)


@pytest.mark.parametrize("languages", [("en",), ("en", "es")])
def test_both_kinds_of_files_give_the_same_entities(tmp_path: Path, languages: tuple[str, ...]) -> None:
    made = tables(ENTITIES)
    files = {"json": {"items.json.gz": gzip.compress(items(ENTITIES))}, "sql": {f"{n}.sql": c for n, c in made.items()}}
    found = {}
    for kind, given in files.items():
        assert index(tmp_path / kind, given, languages) == EntityFiles(4, ())
        with closing(TitleIndex(tmp_path / kind / "index")) as one:
            found[kind] = [one.find(title) for title in ENTITIES]
    assert found["json"] == found["sql"]
    wanted = [
        Entity(title, item, {code: name for code, name in names.items() if code in languages})
        for title, (item, names) in ENTITIES.items()
    ]
    assert found["json"] == wanted


def test_without_page_props_there_are_names_but_no_items(tmp_path: Path) -> None:
    made = tables(ENTITIES)
    folder = tmp_path / "a#b%41?c"  # signs of addresses, in a path
    assert index(folder, {"l.sql": made["langlinks"], "p.sql": made["page"]}).names == 2
    with closing(TitleIndex(folder / "index")) as one:
        assert one.find("Lima") == Entity("Lima", None, {"en": "Lima"})


def test_redirects_lead_to_the_end_of_their_chain(tmp_path: Path) -> None:
    redirects = {"A": "B", "B": "Lima", "X": "Y", "Y": "Z", "Z": "X", "Self": "Self", "C": "Katiguriya:D"}
    pages = [page(title, f"#REDIRECT [[{to}]]", redirect=to) for title, to in redirects.items()]
    pages += [page("S", "#REDIRECT [[Lima#Plaza]]", redirect="Lima"), page("Lima", "not a [[redirect]]")]
    (tmp_path / "d.xml").write_bytes(dump(*pages))
    with new_index(tmp_path / "index") as writer:
        writer.add_entities([("Lima", "Q2868", {"en": "Lima"})])
        writer.add_redirects(read_redirects(Dump(tmp_path / "d.xml").pages(), SITE))
    with closing(TitleIndex(tmp_path / "index")) as one:
        lima = Entity("Lima", "Q2868", {"en": "Lima"})
        assert [one.find(title) for title in ("A", "B", "Lima")] == [lima] * 3
        assert [one.find(title) for title in ("X", "Y", "Z", "Self")] == [None] * 4, "they lead in a circle"
        assert one.find("S") == Entity("S", None, {}), "a section is not the article's subject"
        assert one.find("C") == Entity("C", None, {})
        assert one.find("Unknown") == Entity("Unknown", None, {})
        assert one.counts() == {"redirects": 6, "entities": 1}


def test_redirects_of_the_sql_table_are_followed_too(tmp_path: Path) -> None:
    made = tables(ENTITIES, {"Lima llaqta": "Lima"})
    index(tmp_path, {f"{n}.sql": c for n, c in made.items()})
    with closing(TitleIndex(tmp_path / "index")) as one:
        assert one.find("Lima llaqta") == Entity("Lima", "Q2868", {"en": "Lima"})


def test_broken_lines_are_counted_and_shown(tmp_path: Path) -> None:
    lines = items(ENTITIES).splitlines(keepends=True)
    bad = [b'{"type": "item", "quwiki"\n', b"[1]\n", b'{"sitelinks": {"quwiki": 3}}\n', b'"quwiki"\n']
    read = index(tmp_path, {"items.json": b"".join([lines[0], *bad, *lines[1:]])})
    assert read.names == 4
    assert len(read.problems) == 1
    assert read.problems[0].startswith("4 lines that are no item, left out; the first: ")
    assert "line 2:" in read.problems[0]


def test_a_broken_row_of_sql_is_counted_and_shown(tmp_path: Path) -> None:
    made = tables(ENTITIES)
    rows = made["langlinks"].replace(b"'Lima (", b"'Lima\\") + b"INSERT INTO `langlinks` VALUES (1,'es','x','y');\n"
    read = index(tmp_path, {"l.sql": rows, "p.sql": made["page"]}, ("en", "es"))
    assert read.problems
    assert "cannot be read" in read.problems[0]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a": b"plain text"}, "neither JSON nor SQL"),
        ({"a.json": b'{\n  "pageid": 138,\n  "ns": 0\n}\n'}, r"no Wikidata item: .*a\.json, line 1"),
        ({"a.sql": sql("categorylinks", ["cl_from"], [(1,)])}, "not used.*categorylinks"),
        ({"a.sql": tables(ENTITIES)["langlinks"]}, "langlinks without page"),
        ({"a.sql": tables(ENTITIES)["page"], "b.sql": tables(ENTITIES)["page"]}, "two SQL dumps of one table"),
        ({"a.sql": sql("page", ["page_id", "page_title"], [(1, "a")])}, "lacks a column.*page_namespace"),
        ({"a.sql": b"-- MySQL dump\n"}, "defines no table"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, files: dict[str, bytes], message: str) -> None:
    with pytest.raises(LexigraftError, match=message):
        index(tmp_path, files)
    assert not list(tmp_path.glob("index*"))
