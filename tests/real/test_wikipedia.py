"""Real dumps: the English slice, one-page dumps of many scripts, and Wikidata items beside the same as SQL."""

from __future__ import annotations

import bz2
import json
import re
from contextlib import closing
from pathlib import Path

import pytest

from fixtures.real_tokenizers import DATA
from fixtures.wikipedia import tables
from lexigraft.api.corpus.wikipedia import wikipedia_corpus
from lexigraft.core.data.annotated_text import AnnotatedText, read_annotated
from lexigraft.core.data.wikipedia.clean_text import clean
from lexigraft.core.data.wikipedia.dump import Dump
from lexigraft.core.data.wikipedia.entities import add_entities
from lexigraft.core.data.wikipedia.page import parse_page
from lexigraft.core.data.wikipedia.site import Site, read_site
from lexigraft.core.data.wikipedia.title_index import Entity, TitleIndex, new_index
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
    assert not dirty


def test_sql_dumps_give_the_anchors_of_wikidata(english: list[AnnotatedText], tmp_path: Path) -> None:
    entities = {}
    for line in bz2.decompress((WIKI / "wikidata_sample_items.json.bz2").read_bytes()).decode().splitlines():
        if line.startswith("{"):
            item = json.loads(line.rstrip(",\n"))
            links = {site: link["title"] for site, link in item["sitelinks"].items()}
            if "enwiki" in links:
                names = {"es": links["eswiki"]} if "eswiki" in links else {}
                entities[links["enwiki"]] = (item["id"], names)
    for name, content in tables(entities).items():
        (tmp_path / f"{name}.sql").write_bytes(content)
    site = read_site(Dump(WIKI / SLICE).header, SLICE)
    found: list[dict[str, Entity | None]] = []
    for files in ([WIKI / "wikidata_sample_items.json.bz2"], sorted(tmp_path.glob("*.sql"))):
        with new_index(tmp_path / "index") as writer:
            assert add_entities(files, site, ["es"], writer).problems == ()
        with closing(TitleIndex(tmp_path / "index")) as index:
            titles = {anchor.title for one in english for anchor in one.anchors} | entities.keys()
            found.append({title: index.find(title) for title in titles})
    assert found[0] == found[1]
    linked = [anchor for one in english for anchor in one.anchors if anchor.surface]
    assert len(linked) > 50
    assert all(found[1][anchor.title] == Entity(anchor.title, anchor.wikidata_id, anchor.surface) for anchor in linked)


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
# How the article begins for a reader, and the first anchors: each compared by hand with the wikitext. Between the first
# words stand templates, references, comments and brackets that hold only these.
OPENINGS = {
    "qu": ("Berlin llaqtaqa Alimanya mama llaqtap uma", [("Alimanya", "Alimanya"), ("uma llaqtanmi", "Uma llaqta")]),
    "sw": ("Berlin ni mji mkuu, pia mji mkubwa na jimbo", [("mji mkuu", "Mji mkuu"), ("Ujerumani", "Ujerumani")]),
    "he": ("בֶּרְלִין (בגרמנית: Berlin) היא בירת", [("גרמנית", "גרמנית"), ("בירת", "עיר בירה")]),
    "ar": (
        "برلين هي العاصمة الفيدرالية لجمهورية ألمانيا",
        [("العاصمة الفيدرالية", "عاصمة فيدرالية"), ("جمهورية ألمانيا الاتحادية", "ألمانيا")],
    ),
    "fa": ("بِرلین یا بِرلَن پایتخت کشور آلمان و", [("پایتخت", "پایتخت"), ("آلمان", "آلمان")]),
    "hi": ("बर्लिन जर्मनी की राजधानी और इसके 16 राज्यों", [("जर्मनी", "जर्मनी"), ("राजधानी", "राजधानी")]),
    "bn": ("বার্লিন জার্মানির রাজধানী, এবং ইউরোপ মহাদেশের", [("জার্মানির", "জার্মানি"), ("ইউরোপ", "ইউরোপ")]),
    "ta": ("பெர்லின் இடாய்ச்சுலாந்து நாட்டின்", [("இடாய்ச்சுலாந்து", "இடாய்ச்சுலாந்து"), ("மில்லியன்", "மில்லியன்")]),
    "te": ("బెర్లిన్ జర్మనీ దేశ రాజధాని నగరం, ఆ దేశము", [("జర్మనీ", "జర్మనీ"), ("బెర్లిన్ గోడ", "బెర్లిన్ గోడ")]),
    "kn": ("ಬರ್ಲಿನ್ ಜರ್ಮನಿ ದೇಶದ ರಾಜಧಾನಿ ಮತ್ತು ಅದರ ೧೬", [("ಜರ್ಮನಿ", "ಜರ್ಮನಿ"), ("ರಾಜಧಾನಿ", "ರಾಜಧಾನಿ")]),
    "my": ("ဘာလင်မြို့သည် ဂျာမနီနိုင်ငံ၏", [("ဂျာမနီနိုင်ငံ", "ဂျာမနီနိုင်ငံ")]),
    "th": ("เบอร์ลิน (แบร์ลีน) เป็นเมืองหลวงและรัฐหนึ่งในส", [("เมืองหลวง", "เมืองหลวง"), ("ประเทศเยอรมนี", "ประเทศเยอรมนี")]),
    "zh": (
        "柏林是德意志聯邦共和國首都，也是德国最大的城市，现有居民约340万人。柏林位于德国东北部，四",
        [("德意志聯邦共和國", "德意志聯邦共和國"), ("首都", "首都")],
    ),
    "ja": (
        "ベルリン州（ベルリンしゅう）、通称ベルリン（伯林）は、ドイツの首都。16ある連邦州のうちのひ",
        [("ドイツ", "ドイツ"), ("首都", "首都")],
    ),
    "ko": (
        "베를린은 독일의 수도이다. 2014년 12월 현재 인구 3,562,166명으로,",
        [("독일", "독일"), ("유럽 연합", "유럽 연합")],
    ),
    "ru": (
        "Берли́н\xa0— столица и крупнейший город",
        [("Германии", "Германия"), ("первый", "Список самых населённых городов Европейского союза")],
    ),
    "el": (
        "Το Βερολίνο (γερμανικά: Berlin) είναι η",
        [("γερμανικά", "Γερμανική γλώσσα"), ("πρωτεύουσα", "Πρωτεύουσα")],
    ),
    "hy": ("Բեռլին, Գերմանիայի Դաշնային Հանրապետության", [("գերմաներեն", "Գերմաներեն"), ("գերմաներեն", "Գերմաներեն")]),
    "ka": ("ბერლინი — გერმანიის დედაქალაქი და უდიდესი", [("გერმანიის", "გერმანია"), ("დედაქალაქი", "დედაქალაქი")]),
    "am": ("በርሊን የጀርመን ዋና ከተማ ነው።", [("ጀርመን", "ጀርመን"), ("ዋና ከተማ", "ዋና ከተማ")]),
    "yi": ("בערלין איז די הױפּטשטאָט פֿון דײַטשלאַנד. מיט", [("דײַטשלאַנד", "דײַטשלאַנד"), ("באפעלקערונג", "באפעלקערונג")]),
    "ur": (
        "برلن وفاقی جمہوریہ جرمنی کا دارالحکومت اور اس",
        [("وفاقی جمہوریہ جرمنی", "مغربی جرمنی"), ("دارالحکومت", "دارالحکومت")],
    ),
    "vi": ("Berlin (Hán Việt: Bá Lâm) là thủ đô và cũng", [("Hán Việt", "Hán Việt"), ("thủ đô", "Thủ đô")]),
    "tr": ("Berlin, Almanya'nın başkenti ve en büyük", [("Almanya", "Almanya"), ("başkenti", "Başkent")]),
    "az": (
        "Berlin — Almaniyanın paytaxtı və ən böyük",
        [("Almaniyanın", "Almaniya"), ("Brandenburq kürfürstlüyü", "Brandenburq kürfürstlüyü")],
    ),
    "de": ("Arthur Schopenhauer (* 22. Februar 1788 in", [("22. Februar", "22. Februar"), ("1788", "1788")]),
    "es": (
        "Berlín (en alemán: Berlin) es la capital de",
        [("alemán", "Idioma alemán"), ("capital", "Capital (política)")],
    ),
    "pa": ("ਬਰਲਿਨ ਜਰਮਨੀ ਦੀ ਰਾਜਧਾਨੀ ਅਤੇ ਜਰਮਨੀ ਦੇ 16 ਰਾਜਾਂ", [("ਜਰਮਨੀ", "ਜਰਮਨੀ"), ("ਰਾਜਧਾਨੀ", "ਰਾਜਧਾਨੀ")]),
    "mr": ("बर्लिन ही जर्मनी देशाची राजधानी व १६", [("जर्मनी", "जर्मनी"), ("१६ राज्यांपैकी", "जर्मनीची राज्ये")]),
    "ckb": ("بەرلین (بە ئینگلیزی: Berlin) پایتەخت و یەکێک", [("ئینگلیزی", "ئینگلیزی"), ("ئەڵمانیایە", "ئەڵمانیا")]),
    "tt": ("Берли́н — Алманиянең башкаласы, халык саны", [("Алманиянең", "Алмания"), ("Лондоннан", "Лондон")]),
    "uk": (
        "Берлі́н\xa0— столиця Федеративної Республіки",
        [("Федеративної Республіки Німеччина", "Німеччина"), ("федеральна земля", "Землі Німеччини")],
    ),
}


@pytest.mark.parametrize("language", OPENINGS)
def test_pages_of_many_scripts_begin_as_a_reader_sees_them(language: str) -> None:
    opening, anchors = OPENINGS[language]
    text, found = page_of(language)
    assert text[: len(opening)] == opening
    assert found[: len(anchors)] == anchors


def test_pages_of_every_edition_are_clean() -> None:
    assert len(ALL) == 122
    dirty = {}
    for language in sorted({*ALL} - {"si"}):  # that page is a redirect
        text, anchors = page_of(language)
        assert text, language
        assert all(label and title and label == label.strip() for label, title in anchors), language
        if found := LEFT_OVER.findall(text):
            dirty[language] = found
    assert not dirty
