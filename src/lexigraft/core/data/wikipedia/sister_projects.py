"""Prefixes of links to the sister projects of Wikipedia and to other wikis."""

from __future__ import annotations

# fmt: off
PROJECTS = frozenset([
    "b", "betawikiversity", "c", "cache", "commons", "d", "doi", "foundation", "incubator", "m", "mail", "mailarchive",
    "mediazilla", "meta", "metawikimedia", "mw", "n", "phab", "phabricator", "q", "s", "sourceforge", "species",
    "toollabs", "tools", "translatewiki", "v", "voy", "w", "wikia", "wikibooks", "wikidata", "wikimedia",
    "wikimediacommons", "wikinews", "wikipedia", "wikiquote", "wikisource", "wikispecies", "wikiversity", "wikivoyage",
    "wikt", "wiktionary",
])
# fmt: on
"""Sister projects and other wikis: what such a link shows is text, but names no article of this wiki."""
