"""What a dump says of its wiki: language, namespaces by name, and which titles begin with a capital."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from xml.parsers import expat

from lexigraft.core.errors import LexigraftError

MAIN, FILE, CATEGORY = 0, 6, 14
_CANONICAL = {
    "media": -2, "special": -1, "talk": 1, "user": 2, "user talk": 3, "project": 4, "project talk": 5, "file": FILE,
    "file talk": 7, "image": FILE, "image talk": 7, "mediawiki": 8, "mediawiki talk": 9, "template": 10,
    "template talk": 11, "help": 12, "help talk": 13, "category": CATEGORY, "category talk": 15,
}  # fmt: skip
"""English names that every wiki understands beside its own."""

_CODES = {
    "be-tarask": "be-x-old", "gsw": "als", "lzh": "zh-classical", "nan": "zh-min-nan", "nb": "no", "rup": "roa-rup",
    "sgs": "bat-smg", "vro": "fiu-vro", "yue": "zh-yue",
}  # fmt: skip
"""Codes of languages whose Wikipedia has kept an older code in its database's name."""


@dataclass(frozen=True, slots=True)
class Site:
    """A wiki.

    Attributes:
        database: Its name in databases and in Wikidata's sitelinks: ``quwiki``.
        namespaces: The number of each namespace by its name in small letters, English names included.
        case_sensitive: The namespaces whose titles may begin with a small letter.
    """

    database: str
    namespaces: Mapping[str, int]
    case_sensitive: frozenset[int] = frozenset()

    @property
    def language(self) -> str:
        """The code of the Wikipedia: ``qu``, ``zh-yue``; empty where this is no Wikipedia."""
        return self.database.removesuffix("wiki").replace("_", "-") if self.database.endswith("wiki") else ""


def read_site(header: bytes, where: object) -> Site:
    """Read the header of a dump.

    Args:
        header: What stands before the first page.
        where: What a message calls the dump.

    Raises:
        LexigraftError: The XML is broken, or does not say which wiki it is of.
    """
    found: dict[str, str] = {}
    namespaces: dict[str, int] = {}
    sensitive: set[int] = set()
    state: dict[str, str] = {}

    def start(name: str, attributes: dict[str, str]) -> None:
        state.update(name=name, text="", key=attributes.get("key", ""))
        if name == "namespace" and attributes.get("case") == "case-sensitive":
            sensitive.add(int(state["key"]))

    def characters(text: str) -> None:
        state["text"] = state.get("text", "") + text

    def end(name: str) -> None:
        text = state.get("text", "").strip()
        if name == "namespace":
            namespaces[folded(text)] = int(state["key"])
        elif state.get("name") == name:
            found.setdefault(name, text)

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, characters
    try:
        parser.Parse(header, False)
    except (expat.ExpatError, ValueError) as error:
        raise LexigraftError("the dump's header is broken", where, f"Fetch it again ({error})") from None
    named = namespaces.keys() - {""}
    database = found.get("dbname") or _database_at(found.get("base", ""))
    if not database or not named:
        hint = "Its <siteinfo> names neither the wiki nor its namespaces; fetch it again"
        raise LexigraftError("the dump does not say which wiki it is of", where, hint)
    return Site(database, _CANONICAL | {name: namespaces[name] for name in named}, frozenset(sensitive))


def database_of(language: str) -> str:
    """The database of the Wikipedia of a language: ``quwiki``; some have another code than their language."""
    return f"{_CODES.get(language, language).replace('-', '_')}wiki"


def folded(name: str) -> str:
    """The name of a namespace as it is compared."""
    return " ".join(name.replace("_", " ").split()).lower()


def _database_at(address: str) -> str:
    """The database of a wiki by its address, for dumps from before 2013, which have no ``dbname``."""
    match = re.match(r"(?:https?:)?//([a-z-]+)\.wikipedia\.org", address)
    return f"{match[1].replace('-', '_')}wiki" if match else ""
