"""Redirects of a dump: what each title leads to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from lexigraft.core.data.wikipedia.links import Shown, article_title, target_of
from lexigraft.core.data.wikipedia.page import BrokenPage, Page, parse_page
from lexigraft.core.data.wikipedia.site import MAIN, Site

_REDIRECT = b"<redirect "
_HEAD = 4096
"""Bytes at the start of a page in which its redirect stands."""
_FIRST_LINK = re.compile(r"\[\[([^\[\]|\n]*)")


def read_redirects(pages: Iterable[bytes], site: Site) -> Iterator[tuple[str, str]]:
    """The redirects between articles, by title.

    Redirects to a section are left out: what they stand for is not the article's subject.

    Args:
        pages: The pages of a dump.
        site: The wiki.
    """
    for xml in pages:
        if _REDIRECT not in xml[:_HEAD]:
            continue
        try:
            page = parse_page(xml)
        except BrokenPage:
            continue  # counted when the texts are read
        if page.namespace in (MAIN, None) and page.redirect is not None:
            target = target_of(page.redirect, site)
            if target.shown is Shown.ARTICLE and not _leads_to_a_section(page):
                yield article_title(page.title, site), target.title


def _leads_to_a_section(page: Page) -> bool:
    """Whether the link in the text names a section; the dump's ``<redirect>`` leaves it out."""
    link = _FIRST_LINK.search(page.text)
    return link is not None and "#" in link[1]
