"""A folder of URIEL, WALS or Glottolog data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lexigraft.core.data.typology.distances import (
    KINDS,
    Distance,
    feature_distance,
    genealogical_distance,
    geographic_distance,
    wals_distance,
)
from lexigraft.core.data.typology.languages import Language, Languages, codes_of
from lexigraft.core.data.typology.uriel import PREFIXES, FeatureTable, Floats, Uriel, read_uriel
from lexigraft.core.data.typology.wals import LanguageRow, read_glottolog, read_wals
from lexigraft.core.errors import LexigraftError

Pair = tuple[Floats | None, Floats | None]


@dataclass(frozen=True, eq=False)
class Typology:
    """Typological data of many languages.

    Attributes:
        uriel: Feature arrays.
        rows: For each code the row of WALS with the most values.
        places: Latitude and longitude by code.
        languages: Their names and codes.
        wals_features: How many features WALS has.
    """

    uriel: Uriel
    rows: Mapping[str, LanguageRow]
    places: Mapping[str, tuple[float, float]]
    languages: Languages
    wals_features: int

    def find(self, asked: str) -> Language:
        """The language of a code or name; see :meth:`Languages.find`."""
        return self.languages.find(asked)

    def distances(self, one: Language, two: Language) -> dict[str, Distance]:
        """Every kind of distance between two languages; one that is unknown says why."""
        names = one.code, two.code
        found: dict[str, Distance] = {}
        for kind in PREFIXES:
            observed, completed = (_pair(table, names, kind) for table in (self.uriel.observed, self.uriel.completed))
            found[kind] = feature_distance(kind, observed, completed, names)
        found["genealogy"] = genealogical_distance(*_pair(self.uriel.families, names, None), names)
        found["geography"] = geographic_distance(self.places.get(one.code), self.places.get(two.code), names)
        found["wals"] = wals_distance(self._values(one), self._values(two), self.wals_features, names)
        return {kind: found[kind] for kind in KINDS}

    def _values(self, language: Language) -> Mapping[str, str]:
        return self.rows[language.code].values if language.code in self.rows else {}


def load_typology(folder: str | Path) -> Typology:
    """Read a folder with ``lang2vec/``, ``wals/`` or ``glottolog/`` in it, or one of these folders itself.

    Args:
        folder: ``lang2vec/`` holds the arrays of the package lang2vec; ``wals/`` holds ``languages.csv`` and
            ``values.csv``, as CLDF has them too; ``glottolog/`` holds ``languages.csv``.

    Raises:
        LexigraftError: The folder is missing, holds none of these files, or a broken one.
    """
    home = Path(folder).expanduser()
    if not home.is_dir():
        raise LexigraftError("folder of typological data not found", folder, "Give --typology FOLDER; see the docs")
    uriel = read_uriel(home / "lang2vec" if (home / "lang2vec").is_dir() else home)
    wals = read_wals(home / "wals" if (home / "wals").is_dir() else home)
    glottolog = read_glottolog(home / "glottolog")
    if not (uriel.codes or wals or glottolog):
        hint = "Expected lang2vec/feature_averages.npz, wals/languages.csv or glottolog/languages.csv in it"
        raise LexigraftError("folder holds no typological data", folder, hint)
    rows: dict[str, LanguageRow] = {}
    places: dict[str, tuple[float, float]] = {}
    for row in sorted(wals, key=lambda row: -len(row.values)) + glottolog:
        for code in codes_of(row):
            if row.values:
                rows.setdefault(code, row)
            if row.place is not None:
                places.setdefault(code, row.place)
    features = {feature for row in wals for feature in row.values}
    languages = Languages.of(uriel.codes, uriel.two_letters, [*_preferred(wals), *glottolog])
    return Typology(uriel, rows, places, languages, len(features))


def _preferred(rows: list[LanguageRow]) -> list[LanguageRow]:
    """Rows of one ISO code first, with most values: a language is shown by its first name."""
    return sorted(rows, key=lambda row: (len(row.iso), -len(row.values)))


def _pair(table: FeatureTable | None, names: tuple[str, str], kind: str | None) -> Pair:
    if table is None:
        return None, None
    return table.of(names[0], kind), table.of(names[1], kind)
