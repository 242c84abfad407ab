"""One page of a dump, read from its XML."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn
from xml.parsers import expat


@dataclass(frozen=True, slots=True)
class Page:
    """A page with its newest text.

    Attributes:
        title: The title with its namespace's name.
        namespace: The namespace's number; 0 for articles, ``None`` where the dump does not say.
        id: The page's number.
        redirect: The title that it redirects to.
        model: The kind of content, ``wikitext`` for articles.
        text: The wikitext of its last revision.
    """

    title: str
    namespace: int | None
    id: int
    redirect: str | None
    model: str
    text: str


class BrokenPage(ValueError):
    """A page whose XML is not well formed, or that lacks its title."""


def parse_page(xml: bytes) -> Page:
    """Read a page.

    Args:
        xml: From ``<page>`` to ``</page>``.

    Raises:
        BrokenPage: The XML is not well formed (a document type or an unknown entity is not), or has no title.
    """
    return _Parser().parse(xml)


class _Parser:
    """Collects the wanted elements; a page of several revisions keeps the last."""

    def __init__(self) -> None:
        self.path: list[str] = []
        self.found: dict[str, str] = {}
        self.redirect: str | None = None
        self.wanted: list[str] | None = None
        self.parser = expat.ParserCreate("utf-8")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self.parser.EntityDeclHandler = self._refuse

    def parse(self, xml: bytes) -> Page:
        try:
            self.parser.Parse(xml, True)
            title, number = self.found["title"].strip(), int(self.found.get("id", "0"))
            namespace = int(self.found["ns"]) if "ns" in self.found else None
        except (expat.ExpatError, KeyError, ValueError) as error:
            raise BrokenPage(str(error) if isinstance(error, expat.ExpatError) else "no title or number") from None
        model = self.found.get("model", "wikitext").strip()
        return Page(title, namespace, number, self.redirect, model, self.found.get("text", ""))

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self.path.append(name)
        depth = len(self.path)
        if name == "revision":
            self.found.pop("text", None)
        elif name == "redirect" and depth == 2:
            self.redirect = attributes.get("title")
        if (depth == 2 and name in ("title", "ns", "id")) or (depth == 3 and name in ("text", "model")):
            self.wanted = []

    def _end(self, name: str) -> None:
        self.path.pop()
        if self.wanted is not None:
            self.found[name] = "".join(self.wanted)
            self.wanted = None

    def _characters(self, text: str) -> None:
        if self.wanted is not None:
            self.wanted.append(text)

    def _refuse(self, *declaration: object) -> NoReturn:
        raise BrokenPage("entities are refused")
