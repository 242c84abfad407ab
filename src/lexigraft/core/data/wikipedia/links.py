"""What the target of a link is: an article, something that is not shown, or mere text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from lexigraft.core.data.wikipedia.language_codes import LANGUAGES
from lexigraft.core.data.wikipedia.sister_projects import PROJECTS
from lexigraft.core.data.wikipedia.site import CATEGORY, FILE, MAIN, Site, folded
from lexigraft.core.data.wikipedia.titles import capitalized, clean, decoded, is_valid

_MEDIA = re.compile(
    r"\.(?:apng|djvu|flac|gif|jpe?g|mid|mp3|mpe?g|oga|ogg|ogv|opus|pdf|png|stl|svg|tiff?|wav|webm|webp|xcf)$", re.I
)
"""Ends of the names of media: older names of a file's namespace (Bild, Imagen) are in no dump."""


class Shown(Enum):
    """What a reader sees of a link."""

    ARTICLE = "a link to an article of this wiki"
    TEXT = "text: a link to a section, another namespace or another wiki"
    NOTHING = "nothing: an image, a category, or a language link in the margin"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a link leads.

    Attributes:
        shown: What a reader sees of it.
        title: The article's title, before redirects; empty unless it is one.
    """

    shown: Shown
    title: str = ""


_TEXT, _NOTHING = Target(Shown.TEXT), Target(Shown.NOTHING)


def target_of(link: str, site: Site) -> Target:
    """Look at the target of ``[[link]]``.

    Args:
        link: What stands between the brackets, up to the first bar; entities are decoded.
        site: The wiki.
    """
    if link.startswith(("#", "/")):
        return _TEXT
    title = clean(decoded(link))
    colon = title.startswith(":")
    title = title.removeprefix(":").lstrip()
    section = "#" in title
    while True:
        prefix, separator, rest = title.partition(":")
        if not separator:
            break
        name = folded(prefix)
        number = site.namespaces.get(name)
        if number is not None:
            if number in (FILE, CATEGORY) and not colon:
                return _NOTHING
            return _TEXT
        if name == site.language or (name == "w" and _is_own(rest, site)):
            title = rest.strip()
            continue
        if name in LANGUAGES:
            return _TEXT if colon else _NOTHING
        if name in PROJECTS:
            return _TEXT
        if not colon and _MEDIA.search(title):
            return _NOTHING
        break
    if section or not is_valid(title):
        return _TEXT
    if MAIN not in site.case_sensitive:
        title = capitalized(title, site.language)
    return Target(Shown.ARTICLE, title)


def article_title(title: str, site: Site) -> str:
    """The title of an article as links to it are normalized."""
    title = clean(title)
    return title if MAIN in site.case_sensitive else capitalized(title, site.language)


def _is_own(rest: str, site: Site) -> bool:
    """Whether ``w:REST`` is an article of this wiki: ``w:`` alone leads to the English Wikipedia."""
    language = folded(rest.partition(":")[0])
    return language == site.language or (site.language == "en" and language not in LANGUAGES)
