"""Wikitext becomes what a reader sees: text, and the places and titles of links."""

from __future__ import annotations

from itertools import pairwise

import pytest

from lexigraft.core.data.wikipedia.clean_text import clean
from lexigraft.core.data.wikipedia.site import Site
from lexigraft.core.data.wikipedia.wikitext import MarkedText, tokenizer

NAMESPACES = {"file": 6, "image": 6, "category": 14, "katiguriya": 14, "template": 10, "user": 2, "portal": 100}
SITE = Site("quwiki", NAMESPACES)
TOKENIZE = tokenizer()


def read(wikitext: str, site: Site = SITE, title: str = "Título") -> tuple[str, list[tuple[str, str]]]:
    """The text, and each anchor's text and title."""
    marked = MarkedText(wikitext, title, site, TOKENIZE)
    text, spans = clean(marked.text)
    assert all(one.end <= two.start for one, two in pairwise(spans))
    return text, [(text[s.start : s.end], marked.titles[s.number]) for s in spans]


LINKS = {
    "plain": ("[[Lima]]pi", "Limapi", [("Limapi", "Lima")]),
    "label": ("a [[lima|Lima ''llaqta'']] b", "a Lima llaqta b", [("Lima llaqta", "Lima")]),
    "underscores and spaces": ("[[ _Wayna__Pikchu ]]", "_Wayna__Pikchu", [("_Wayna__Pikchu", "Wayna Pikchu")]),
    "percent": ("[[Per%C3%BA|Perú]]", "Perú", [("Perú", "Perú")]),
    "entity": ("[[AT&amp;T]] &amp; [[Köln]]", "AT&T & Köln", [("AT&T", "AT&T"), ("Köln", "Köln")]),
    "spaces in a label": ("a[[Lima| Lima ]]b", "a Lima b", [("Lima", "Lima")]),
    "section": ("[[Lima#Wiñay kawsay|Lima]] [[#Uray|uray]]", "Lima uray", []),
    "other namespaces": ("[[User:X|X]] [[Portal:Perú|punku]]", "X punku", []),
    "category": ("a\n[[Katiguriya:Llaqta|x]]\n[[Category:Town]]", "a", []),
    "shown category": ("[[:Katiguriya:Llaqta|llaqta]]", "llaqta", []),
    "language link": ("a [[en:Lima]] [[zh-min-nan:X]]", "a", []),
    "link to a language": ("a [[:en:Lima|Lima]]", "a Lima", []),
    "own language": ("[[:qu:lima|Lima]]", "Lima", [("Lima", "Lima")]),
    "sister project": ("[[wikt:wasi|wasi]]", "wasi", []),
    "colon in a title": ("[[2001: A Space Odyssey]]", "2001: A Space Odyssey", [("2001: A Space Odyssey",) * 2]),
    "image": ("[[Image:a.jpg|thumb|Kay [[Lima]]pi]]Qusqu", "Qusqu", []),
    "image of an unknown namespace": ("[[Bild:A b.svg|mini|x]]Qusqu", "Qusqu", []),
    "pipe trick": ("[[Lima (Perú)|]]", "Lima (Perú)", [("Lima (Perú)", "Lima (Perú)")]),
    "bar in a label": ("[[Lima|a|b]]", "a|b", [("a|b", "Lima")]),
    "line break in a label": ("[[Lima|Li<br/>ma]]", "Li ma", [("Li ma", "Lima")]),
    "unclosed": ("[[Lima and [[Qusqu]]", "Lima and Qusqu", [("Qusqu", "Qusqu")]),
    "code points": ("𝄞 [[Lima]] 𝄞[[Qusqu]]", "𝄞 Lima 𝄞Qusqu", [("Lima", "Lima"), ("Qusqu", "Qusqu")]),
    "not a title": ("[[a<b]] [[x{y]]", "a<b x{y", []),
    "template inside": ("[[{{PAGENAME}}|kay]]", "kay", [("kay", "Título")]),
}
MARKUP = {
    "quotes": ("''a'' '''b''' '''''c''''' 'd'", "a b c 'd'"),
    "four and six quotes": ("''''x'''' ''''''y''''''", "'x' 'y'"),
    # Bold and italic are both left open: the three quotes after the one-letter word are an apostrophe and italic.
    "apostrophe before italic": ("vedi L'''uomo'' oggi", "vedi L'uomo oggi"),
    "template": ("Lima {{IPA|x{{y}}}} llaqta", "Lima llaqta"),
    "template in brackets": ("Lima ({{lang-en|Lima}}; {{IPA|l}}) llaqta", "Lima llaqta"),
    "template in brackets before a sign": ("Lima ({{lang-en|Lima}}), llaqta", "Lima, llaqta"),
    "first in brackets": ("Lima ({{lang-en|Lima}}, Perú) llaqta", "Lima (Perú) llaqta"),
    "last in brackets": ("Lima (Perú, {{IPA|x}}) llaqta", "Lima (Perú) llaqta"),
    "brackets that were empty": ("main() runs", "main() runs"),
    "before a sign": ("Lima {{x}}, Qusqu<ref>a</ref>. Puno", "Lima, Qusqu. Puno"),
    "template that shows its text": ("{{lang|qu|''wasi''}} {{nowrap|1=10 km}}", "wasi 10 km"),
    "name of the page": ("'''{{PAGENAME}}''' x", "Título x"),
    "unclosed template": ("{{Infobox\n| a = b\n| c = d\nText", "Text"),
    "parameter": ("a {{{1|b}}} c", "a c"),
    "reference": ('a<ref name="x">b [[c]]</ref> d<ref name=x /> e', "a d e"),
    "comment": ("a<!-- b\n\n[[c]] -->d", "ad"),
    "unclosed comment": ("a <!-- b", "a"),
    "nowiki": ("<nowiki>[[a]] ''b'' {{c}} &amp; <ref></nowiki>", "[[a]] ''b'' {{c}} & <ref>"),
    "table": ("a\n{| class=x\n! h\n|-\n| [[b]] || c\n{|\n|d\n|}\n|}\ne", "a\ne"),
    "unclosed table": ("a\n\n{| class=x\n| b", "a"),
    "gallery": ("a\n<gallery>\nFile:x.jpg|[[b]]\n</gallery>\nc", "a\nc"),
    "math": ("a <math>x^2</math> b", "a b"),
    "hidden": ('a <span style="display: none">b</span>c', "a c"),
    "tags that show": ("H<sub>2</sub>O <b>x</b> <div>y</div>z", "H2O x\ny\nz"),
    "tags that do not end": ("a <b>b\n\n</i>c</div>", "a b\nc"),
    "line breaks": ("a<br>b<br />c", "a\nb\nc"),
    "poem": ("<poem>\na\nb\n</poem>", "a\nb"),
    "lines of a paragraph": ("a\nb\n\nc", "a b\nc"),
    "lists": ("a\n* b\n** c\n# d\n;t:e\n: f\ng", "a\nb\nc\nd\nt: e\nf\ng"),
    "headings": ("== A ==\nx\n=== B ===\n== C ==\n=== D ===\ny", "A\nx\nC\nD\ny"),
    "heading without text": ("a\n== Hawa tinkikuna ==\n{{x}}\n[[Katiguriya:y]]", "a"),
    "switches": ("__NOTOC__ a __init__ __БЕЗ_ОГЛ__ __目次__", "a __init__"),
    "outside links": ("[http://a.b c d] e [http://a.b] f http://a.b/g", "c d e f http://a.b/g"),
    "entities": ("a&nbsp;b &lt;ref&gt; &#233;&#x1F600;", "a\xa0b <ref> é😀"),
    "variants": ("-{zh-hans:计算机;zh-hant:電腦}- -{H|zh-cn:x}--{R|raw}-", "计算机 raw"),
    "rule": ("a\n----\nb", "a\nb"),
    "noncharacters": ("a\ufdd0b\U000f0001c", "abc"),
    "many spaces": ("a" + " " * 200_000 + "{{x}}, b", "a, b"),  # minutes, if the time grew with their square
    "template in a template of literal text": ("{{a|{{b}}|<nowiki>}}</nowiki>}} c", "c"),
    "nothing": ("{{delete}}\n<!-- x -->", ""),
}


@pytest.mark.parametrize(("wikitext", "text", "anchors"), LINKS.values(), ids=LINKS)
def test_links(wikitext: str, text: str, anchors: list[tuple[str, str]]) -> None:
    assert read(wikitext) == (text, anchors)


@pytest.mark.parametrize(("wikitext", "text"), MARKUP.values(), ids=MARKUP)
def test_markup(wikitext: str, text: str) -> None:
    assert read(wikitext) == (text, [])


SCRIPTS = {
    "Hebrew": ("he", "'''ברלין''' היא [[עיר בירה|בירת]] [[גרמניה]]ה.", "ברלין היא בירת גרמניהה.", ["בירת", "גרמניהה"]),
    # The vowel marks over the letters are characters of their own, and part of the word after the link.
    "Arabic with marks": ("ar", "[[كتاب]]ٌ في", "كتابٌ في", ["كتابٌ"]),
    "Hindi": ("hi", "[[भारत]]ीय [[जर्मनी]] की", "भारतीय जर्मनी की", ["भारतीय", "जर्मनी"]),
    "Chinese": ("zh", "[[柏林]]是[[德国|德國]]首都。", "柏林是德國首都。", ["柏林", "德國"]),
    "Thai": ("th", "[[เบอร์ลิน]]เป็น", "เบอร์ลินเป็น", ["เบอร์ลิน"]),
    "Korean": ("ko", "[[베를린]]은", "베를린은", ["베를린"]),
    "Russian": ("ru", "[[Берлин]]ский", "Берлинский", ["Берлинский"]),
    "Vietnamese in NFD": ("vi", "[[Pha\u0301p]] o\u031b", "Pha\u0301p o\u031b", ["Pha\u0301p"]),
}


@pytest.mark.parametrize(("language", "wikitext", "text", "shown"), SCRIPTS.values(), ids=SCRIPTS)
def test_scripts(language: str, wikitext: str, text: str, shown: list[str]) -> None:
    found, anchors = read(wikitext, Site(f"{language}wiki", NAMESPACES))
    assert found == text
    assert [label for label, _ in anchors] == shown
    if language == "vi":
        assert anchors[0][1] == "Pháp", "titles are NFC, the text stays as it is"
