"""`lexigraft corpus` as a user calls it."""

from __future__ import annotations

import bz2
import gzip
import json
from pathlib import Path

import pytest

from fixtures.commands import lexigraft
from fixtures.wikipedia import dump, items, page
from lexigraft.core.data.annotated_text import read_annotated

ENTITIES = {"Lima": ("Q2868", {"en": "Lima"}), "Perú": ("Q419", {"en": "Peru\x1b[31m"})}


def test_a_dump_becomes_a_folder_that_is_shown(tmp_path: Path) -> None:
    article = page("Lima\x9b", "[[Perú]]pa uma llaqtanmi. [[Qusqu]] " * 30)
    (tmp_path / "d.xml.bz2").write_bytes(bz2.compress(dump(article)))
    (tmp_path / "items.json").write_bytes(items(ENTITIES))
    command = ["corpus", "wikipedia", "--dump", tmp_path / "d.xml.bz2", "--lang", "qu", "--out", tmp_path / "out"]
    done = lexigraft(*command, "--entities", tmp_path / "items.json", "--processes", "1", "--json")
    assert done.code == 0, done
    assert done.json["anchors"] == 60
    assert done.json["named_anchors"] == 30
    shown = lexigraft("corpus", "show", tmp_path / "out", "--characters", "40")
    heading, text, *_ = shown.out.splitlines()
    # "Perúpa uma llaqtanmi. Qusqu Perúpa uma l" are 40 characters.
    assert heading == "Lima\ufffd: 3 anchors, 2 with a name in en"
    assert text == "[Perúpa|Peru\ufffd[31m] uma llaqtanmi. [Qusqu] [Perúpa|Peru\ufffd[31m] uma l"
    as_json = lexigraft("corpus", "show", tmp_path / "out", "--characters", "8", "--json").json
    assert [(a["start"], a["end"], a["title"]) for a in as_json[0]["anchors"]] == [(0, 6, "Perú")]
    assert as_json[0]["text"] == "Perúpa u"


def test_the_names_of_a_dictionary_are_marked(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("Hatun wasi\n\nrumi\n", encoding="utf-8")
    (tmp_path / "d.tsv").write_text("big\thatun\nhouse\twasi\nriver\tmayu\n", encoding="utf-8")
    command = ["corpus", "link", "--text", tmp_path / "t.txt", "--dictionary", tmp_path / "d.tsv", "--out"]
    done = lexigraft(*command, tmp_path / "a.jsonl.gz", "--reverse", "--json")
    assert done.code == 0, done
    wanted = {"documents": 2, "linked_documents": 1, "anchors": 2, "entries": 3, "matched_entries": 2}
    assert done.json == {"out": str(tmp_path / "a.jsonl.gz"), **wanted}
    [first, _] = read_annotated(tmp_path / "a.jsonl.gz")
    assert [dict(anchor.surface) for anchor in first.anchors] == [{"en": "big"}, {"en": "house"}]
    again = lexigraft(*command, tmp_path / "a.jsonl.gz", "--reverse")
    assert (again.code, "output file exists" in again.err) == (2, True)


@pytest.mark.parametrize("kind", ["swapped", "nothing"])
def test_a_dictionary_without_a_match_is_one_error(tmp_path: Path, kind: str) -> None:
    (tmp_path / "t.txt").write_text("Hatun wasi\n", encoding="utf-8")
    (tmp_path / "d.tsv").write_text("house\twasi\n" if kind == "swapped" else "x\ty\n", encoding="utf-8")
    done = lexigraft(
        "corpus",
        "link",
        "--text",
        tmp_path / "t.txt",
        "--dictionary",
        tmp_path / "d.tsv",
        "--out",
        tmp_path / "a.jsonl",
    )
    assert done.code == 2
    assert "no word of the dictionary is in the text" in done.err
    assert "text: Hatun wasi. Swap its columns with --reverse" in done.err
    assert not list(tmp_path.glob("*.jsonl"))


def test_anchors_outside_the_text_are_one_error(tmp_path: Path) -> None:
    row = {"text": "a", "anchors": [{"start": 0, "end": 2}]}
    (tmp_path / "a.jsonl").write_text(json.dumps(row))
    done = lexigraft("corpus", "show", tmp_path / "a.jsonl")
    assert done.code == 2
    assert "anchor lies outside the text" in done.err
    assert "line 1" in done.err
    beyond = lexigraft("corpus", "show", tmp_path / "a.jsonl", "--skip", "5")
    assert beyond.code == 2


def test_show_says_what_an_augmenter_makes_of_a_document(tmp_path: Path) -> None:
    anchor = {"start": 0, "end": 5, "title": "Qusqu", "wikidata_id": None, "surface": {"en": "Cusco"}}
    row = {"text": "Qusqu llaqtam hatun.", "title": "Qusqu", "anchors": [anchor]}
    (tmp_path / "a.jsonl").write_text(json.dumps(row))
    shown = lexigraft("corpus", "show", tmp_path / "a.jsonl", "--augment", "leia:p=1,side=right").out
    assert "[Qusqu|Cusco] llaqtam hatun." in shown
    assert "Qusqu{~<translate>~}{+Cusco+}{~</translate>~} llaqtam hatun." in shown
    made = lexigraft("corpus", "show", tmp_path / "a.jsonl", "--augment", "leia:p=1,side=right", "--json").json
    assert made[0]["text"] == "Qusqu<translate>Cusco</translate> llaqtam hatun."
    wrong = lexigraft("corpus", "show", tmp_path / "a.jsonl", "--augment", "leia:q=1")
    assert wrong.code == 2
    assert "leia" in wrong.err


def test_show_takes_plain_text_and_lists_of_languages(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("kay wasi\n", encoding="utf-8")
    with gzip.open(tmp_path / "t.qu.gz", "wt", encoding="utf-8") as file:
        file.write("kay wasi\n")
    (tmp_path / "words.tsv").write_text("wasi\thouse\n", encoding="utf-8")
    for name in ("t.txt", "t.qu.gz"):
        switch = f"code_switch:file={tmp_path}/words.tsv,p=1"
        assert "kay {+house+}" in lexigraft("corpus", "show", tmp_path / name, "--augment", switch).out
    anchor = {"start": 0, "end": 4, "surface": {"de": "Wien", "fr": "Vienne", "hu": "Bécs"}}
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": "Vena urbo", "anchors": [anchor]}))
    options = "entity_switch:languages=[de, sw],p=1,tags=true"
    shown = lexigraft("corpus", "show", tmp_path / "a.jsonl", "--augment", options).out
    assert "{~<de>~}{+Wien+}{~</de>~} urbo" in shown
    refused = lexigraft("corpus", "show", tmp_path / "t.txt", "--augment", "code_switch")
    assert (refused.code, "has no dictionary" in refused.err) == (2, True)
