"""Lookup of a language by ISO 639-3, ISO 639-1, glottocode or name."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from lexigraft.core.data.typology.wals import LanguageRow
from lexigraft.core.errors import LexigraftError

_SCRIPT = re.compile(r"[_-][A-Z][a-z]{3}$")
_GLOTTOCODE = re.compile(r"[a-z0-9]{4}\d{4}$")
_SHOWN = 12


@dataclass(frozen=True)
class Language:
    """A language that a typological database knows.

    Attributes:
        code: Its ISO 639-3 code, or ``wals:CODE`` for one that has none.
        name: Its name, where a table gives one.
    """

    code: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.code} ({self.name})" if self.name else self.code


@dataclass(frozen=True)
class Languages:
    """Names and codes of all languages of a database.

    Attributes:
        names: Names by code; a language has one name for each of its rows, or none.
        two_letters: ISO 639-3 codes by ISO 639-1 code.
        glottocodes: Codes by glottocode.
    """

    names: Mapping[str, tuple[str, ...]]
    two_letters: Mapping[str, str]
    glottocodes: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, codes: Collection[str], two_letters: Mapping[str, str], rows: Sequence[LanguageRow]) -> Languages:
        """Collect what the tables say; a row with two ISO codes names both languages."""
        names: dict[str, dict[str, None]] = {code: {} for code in sorted(codes)}
        glottocodes: dict[str, set[str]] = {}
        for row in rows:
            for code in codes_of(row):
                names.setdefault(code, {})[row.name] = None
                if row.glottocode:
                    glottocodes.setdefault(row.glottocode, set()).add(code)
        return cls(
            {code: tuple(own) for code, own in names.items()},
            two_letters,
            {code: frozenset(own) for code, own in glottocodes.items()},
        )

    def find(self, asked: str) -> Language:
        """The one language that a code or a name means; a script behind a code (``quy_Latn``) is left out.

        Names are compared without case and accents. Where none is equal, one that is followed by a qualifier, such as
        Quechua (Cuzco), is found by the part before it.

        Raises:
            LexigraftError: No language, or several.
        """
        text = _SCRIPT.sub("", asked.strip())
        lowered = text.lower()
        if lowered in self.names:
            return self._language(lowered)
        if lowered in self.two_letters and self.two_letters[lowered] in self.names:
            return self._language(self.two_letters[lowered])
        if _GLOTTOCODE.match(lowered):
            return self._by_glottocode(lowered)
        wanted = _plain(text)
        exact = {code for code, own in self.names.items() if wanted in map(_plain, own)}
        found = exact or {code for code, own in self.names.items() if wanted in (_plain(_base(n)) for n in own)}
        if len(found) == 1:
            return self._language(found.pop())
        if found and wanted:
            raise LexigraftError("several languages have this name", asked, f"Give one code: {self._listed(found)}")
        raise LexigraftError("no language of this code or name", asked, self._close(text))

    def _by_glottocode(self, glottocode: str) -> Language:
        found = self.glottocodes.get(glottocode, frozenset())
        if len(found) == 1:
            return self._language(next(iter(found)))
        if found:
            raise LexigraftError(
                "several languages have this glottocode", glottocode, f"Give one code: {self._listed(found)}"
            )
        hint = "Give an ISO 639-3 code or a name"
        if not self.glottocodes:
            hint += ", or put Glottolog's languages.csv into the folder's glottolog/: nothing there has glottocodes"
        raise LexigraftError("no language of this glottocode", glottocode, hint)

    def _language(self, code: str) -> Language:
        return Language(code, next(iter(self.names[code]), ""))

    def _listed(self, codes: Collection[str]) -> str:
        shown = [str(self._language(code)) for code in sorted(codes)]
        return ", ".join(shown[:_SHOWN]) + (f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else "")

    def _close(self, text: str) -> str:
        plain = {_plain(name): code for code, own in self.names.items() for name in own}
        near = difflib.get_close_matches(_plain(text), plain, n=3, cutoff=0.7)
        hint = "Give an ISO 639-3 code such as quy, an ISO 639-1 code, a glottocode, or a name"
        return f"Did you mean {self._listed({plain[name] for name in near})}? {hint}" if near else hint


def codes_of(row: LanguageRow) -> tuple[str, ...]:
    """The codes under which a row is found."""
    return row.iso or (f"wals:{row.id}",)


def _plain(name: str) -> str:
    """A name without case, accents and signs."""
    letters = unicodedata.normalize("NFKD", name.casefold())
    return " ".join("".join(c if c.isalnum() else " " for c in letters if not unicodedata.combining(c)).split())


def _base(name: str) -> str:
    """A name without its qualifier in brackets."""
    return name.partition(" (")[0]
