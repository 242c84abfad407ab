"""Titles are normalized as MediaWiki does, by the wiki's language and namespaces."""

from __future__ import annotations

import pytest

from lexigraft.core.data.wikipedia.links import Shown, article_title, target_of
from lexigraft.core.data.wikipedia.site import Site, database_of, read_site
from lexigraft.core.errors import LexigraftError

HEADER = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.10/" xml:lang="tr">
  <siteinfo>
    <sitename>Vikipedi</sitename>
    {database}
    <base>https://be-tarask.wikipedia.org/wiki/X</base>
    <namespaces>
      <namespace key="0" case="first-letter" />
      <namespace key="6" case="first-letter">Dosya</namespace>
      <namespace key="14" case="first-letter">Kategori</namespace>
      <namespace key="100" case="case-sensitive">Portal</namespace>
      <namespace key="1" case="first-letter">Kullanıcı &amp; Tartışma</namespace>
    </namespaces>
  </siteinfo>
"""


@pytest.mark.parametrize(
    ("language", "title", "expected"),
    [
        ("tr", "istanbul", "İstanbul"),
        ("az", "ılıca", "Ilıca"),
        ("en", "iPod", "IPod"),
        ("de", "ßtest", "ßtest"),  # its capital would be two letters
        ("ka", "თბილისი", "თბილისი"),  # Georgian capitals begin no title
        ("el", "αθήνα", "Αθήνα"),
        ("ru", "  москва_река ", "Москва река"),
        ("ar", "\u200eبرلين\u200f", "برلين"),
        ("vi", "a\u0301o", "Áo"),
        ("en", "a\tb\u3000c", "A b c"),
        ("en", "𐐨x", "𐐀x"),  # Deseret, outside the basic plane
    ],
)
def test_first_letters_spaces_and_forms(language: str, title: str, expected: str) -> None:
    assert article_title(title, Site(f"{language}wiki", {})) == expected


def test_a_wiki_with_small_first_letters_keeps_them() -> None:
    site = Site("jbowiki", {}, frozenset({0}))
    assert target_of("lojban", site).title == "lojban"


@pytest.mark.parametrize("link", ["a|b", "x]", "..", "a/../b", "~~~~", "", " ", "a%5Bb", "x" * 256])
def test_what_is_no_title_is_text(link: str) -> None:
    assert target_of(link, Site("enwiki", {})).shown is Shown.TEXT


def test_english_articles_by_the_prefix_w() -> None:
    """``w:`` leads to the English Wikipedia: on another wiki its title is none of the wiki's own."""
    assert target_of("w:lima", Site("enwiki", {})).title == "Lima"
    assert target_of("w:Lima", Site("quwiki", {})).shown is Shown.TEXT
    assert target_of("w:qu:lima", Site("quwiki", {})).title == "Lima"


def test_the_header_names_wiki_and_namespaces() -> None:
    site = read_site(HEADER.format(database="<dbname>trwiki</dbname>").encode(), "x")
    assert (site.database, site.language) == ("trwiki", "tr")
    assert site.namespaces["dosya"] == site.namespaces["file"] == site.namespaces["image"] == 6
    assert site.namespaces["kullanıcı & tartışma"] == 1
    assert site.case_sensitive == {100}
    assert target_of("dosya:a.png", site).shown is Shown.NOTHING
    assert target_of("PORTAL:x", site).shown is Shown.TEXT


def test_old_headers_name_the_wiki_by_its_address() -> None:
    assert read_site(HEADER.format(database="").encode(), "x").database == "be_taraskwiki"


def test_languages_and_databases() -> None:
    assert [database_of(code) for code in ("qu", "nb", "zh-yue", "be-tarask")] == [
        "quwiki", "nowiki", "zh_yuewiki", "be_x_oldwiki",
    ]  # fmt: skip


@pytest.mark.parametrize("header", [b"<mediawiki><siteinfo>", b"<mediawiki></siteinfo>"])
def test_a_header_without_a_wiki_is_refused(header: bytes) -> None:
    with pytest.raises(LexigraftError, match=r"does not say which wiki|header is broken"):
        read_site(header, "x")
