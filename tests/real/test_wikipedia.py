"""Real dumps: the English slice, one-page dumps of many scripts, and Wikidata items beside the same as SQL."""

from __future__ import annotations

import bz2
import json
import re
import unicodedata
from pathlib import Path

import pytest

from fixtures.real_tokenizers import DATA
from fixtures.wikipedia import tables
from lexigraft.api.corpus.wikipedia import wikipedia_corpus
from lexigraft.core.data.annotated_text import AnnotatedText, read_annotated
from lexigraft.core.data.wikipedia.clean_text import clean
from lexigraft.core.data.wikipedia.dump import Dump
from lexigraft.core.data.wikipedia.page import parse_page
from lexigraft.core.data.wikipedia.site import Site, read_site
from lexigraft.core.data.wikipedia.wikitext import MarkedText, tokenizer

WIKI = DATA / "wiki"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not WIKI.exists(), reason=f"no real data at {WIKI}; name its folder in LEXIGRAFT_DATA"),
]
SLICE = "enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"
LEFT_OVER = re.compile(r"\[\[|\]\]|\{\{|\}\}|\{\||\|\}|<ref|</|<br|'''|__[A-Z]+__|&[a-z]+;|[\ufdd0-\ufdef]|\n\n|  ")


@pytest.fixture(scope="module")
def english(tmp_path_factory: pytest.TempPathFactory) -> list[AnnotatedText]:
    out = tmp_path_factory.mktemp("wiki") / "out"
    items = WIKI / "wikidata_sample_items.json.bz2"
    made = wikipedia_corpus([WIKI / SLICE], out, language="en", entities=[items], names=["es"])
    assert made.warnings == ()
    assert {name: made.counts[name] for name in ("articles", "redirects", "other_namespaces")} == {
        "articles": 106, "redirects": 99, "other_namespaces": 1,
    }  # fmt: skip
    return list(read_annotated(out))


def test_the_slice_is_clean_prose(english: list[AnnotatedText]) -> None:
    first = english[0]
    assert first.title == "Anarchism"
    assert first.text.startswith(
        "Anarchism is a political philosophy that advocates self-governed societies based on voluntary institutions."
    )
    assert sum(len(one.anchors) for one in english) > 20_000
    dirty = [(one.title, found) for one in english for found in LEFT_OVER.findall(one.text)]
    assert len(dirty) < 20, dirty


def test_sql_dumps_give_the_anchors_of_wikidata(english: list[AnnotatedText], tmp_path: Path) -> None:
    entities = {}
    for line in bz2.open(WIKI / "wikidata_sample_items.json.bz2", "rt", encoding="utf-8"):
        if line.startswith("{"):
            item = json.loads(line.rstrip(",\n"))
            links = {site: link["title"] for site, link in item["sitelinks"].items()}
            if "enwiki" in links:
                names = {"es": links["eswiki"]} if "eswiki" in links else {}
                entities[links["enwiki"]] = (item["id"], names)
    for name, content in tables(entities).items():
        (tmp_path / f"{name}.sql").write_bytes(content)
    paths = sorted(tmp_path.glob("*.sql"))
    wikipedia_corpus([WIKI / SLICE], tmp_path / "out", language="en", entities=paths, names=["es"])
    found = list(read_annotated(tmp_path / "out"))
    assert found == english
    assert sum(bool(anchor.surface) for one in found for anchor in one.anchors) > 50


# What a reader sees first of each page, by hand from its wikitext. The dumps' headers are those of the English
# Wikipedia, so the names of the language's own namespaces are given here.
OPENINGS = {
    "qu": ("Berlin llaqtaqa Alimanya mama llaqtap uma llaqtanmi.", ["Alimanya", "uma llaqtanmi"], "katiguriya", "rikcha"),
    "sw": ("Berlin ni mji mkuu, pia mji mkubwa na jimbo la kujitawala la Ujerumani", ["mji mkuu", "Ujerumani"], "jamii", "picha"),
}


def page_of(language: str) -> tuple[str, list[tuple[str, str]]]:
    path = WIKI / "minidumps" / f"{language}.xml.bz2"
    opened = Dump(path)
    site = read_site(opened.header, path)
    extra = {"katiguriya": 14, "jamii": 14, "קטגוריה": 14, "קובץ": 6, "تصنيف": 14, "ملف": 6, "श्रेणी": 14, "चित्र": 6}
    site = Site(f"{language}wiki", {**site.namespaces, **extra, "picha": 6, "rikcha": 6})
    read = [parse_page(xml) for xml in opened.pages()]
    page = next(one for one in read if one.redirect is None and not one.namespace)
    marked = MarkedText(page.text, page.title, site, tokenizer())
    text, spans = clean(marked.text)
    return text, [(text[s.start : s.end], marked.titles[s.number]) for s in spans]


ALL = sorted(path.name.split(".")[0] for path in (WIKI / "minidumps").glob("*.bz2")) if WIKI.exists() else []


def test_pages_of_every_edition_are_clean() -> None:
    assert len(ALL) == 122
    dirty = {}
    for language in ALL:
        text, anchors = page_of(language)
        assert all(label and title and label == label.strip() for label, title in anchors), language
        assert not unicodedata.normalize("NFC", text) == "", language
        if found := LEFT_OVER.findall(text):
            dirty[language] = found
    assert not dirty
