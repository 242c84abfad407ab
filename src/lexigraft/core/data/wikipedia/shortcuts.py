"""What is certainly not shown, taken out before the text is split into tokens: half of many articles."""

from __future__ import annotations

import re

from lexigraft.core.data.wikipedia.marks import GAP, protected

_LITERAL = re.compile(r"<(?:nowiki|pre|source|syntaxhighlight|score|timeline)\b", re.I)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.S)
_TEMPLATE = re.compile(r"(?<!\{)\{\{([^{}]*)\}\}")
"""A template without another one inside; ``{{{1}}}`` is a parameter."""
_REFERENCE = re.compile(r"<ref\b[^<>/]*(?:/[^<>/]+)*(?:/>|>[^<]*</ref\s*>)", re.I)
_DEPTH = 12


def without_hidden(wikitext: str, shown: frozenset[str]) -> str:
    """The text without comments, and with a gap for each plain template and reference.

    A page with literal text, in which none of these is markup, is left to the tokenizer, and so is what is not plain.

    Args:
        wikitext: A page.
        shown: The templates that show something, in small letters.
    """
    if _LITERAL.search(wikitext):
        return wikitext
    if "<!--" in wikitext:
        wikitext = _COMMENT.sub("", wikitext)

    def replaced(match: re.Match[str]) -> str:
        name = match[1].partition("|")[0].strip()
        if name == "!":
            return protected("|")
        return match[0] if name.lower() in shown else GAP

    for _ in range(_DEPTH):
        if "{{" not in wikitext:
            break
        shorter = _TEMPLATE.sub(replaced, wikitext)
        if len(shorter) == len(wikitext):
            break
        wikitext = shorter
    return _REFERENCE.sub(GAP, wikitext) if "<ref" in wikitext else wikitext
