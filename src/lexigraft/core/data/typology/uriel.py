"""URIEL's feature arrays, as the package lang2vec carries them (Littell et al. 2017)."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lexigraft.core.errors import LexigraftError
from lexigraft.core.utils.lfs import refuse_pointers

Floats = npt.NDArray[np.float32]
UNKNOWN = -1
PREFIXES = {"syntax": ("S_",), "phonology": ("P_",), "inventory": ("INV_",), "features": ("S_", "P_", "INV_")}
"""How the names of the features of each kind begin."""
_OBSERVED, _COMPLETED, _FAMILIES = "feature_averages.npz", "feature_predictions.npz", "family_features.npz"
_CODES = "letter_codes.json"
_MOST_BYTES = 2**31
_BROKEN = (OSError, ValueError, KeyError, EOFError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error)
"""What zipfile and numpy raise over a damaged archive."""


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Features by language.

    Attributes:
        rows: The row of each ISO 639-3 code.
        names: The features.
        values: ``(languages, features)``, between 0 and 1, or -1 where unknown.
    """

    rows: Mapping[str, int]
    names: Sequence[str]
    values: Floats

    def of(self, code: str, kind: str | None = None) -> Floats | None:
        """A language's values of the features of a kind, or of all; ``None`` for a language that is not there."""
        if code not in self.rows:
            return None
        values: Floats = self.values[self.rows[code]]
        return values if kind is None else values[self._columns[kind]]

    @cached_property
    def _columns(self) -> Mapping[str, npt.NDArray[np.int64]]:
        """The features of each kind."""
        return {
            kind: np.array([n for n, name in enumerate(self.names) if name.startswith(prefixes)], np.int64)
            for kind, prefixes in PREFIXES.items()
        }


@dataclass(frozen=True, eq=False)
class Uriel:
    """What a folder holds of URIEL, ``None`` for a table that is not there.

    Attributes:
        observed: Means over sources; -1 where no source knows.
        completed: The same features, unknown ones filled in by URIEL's k nearest neighbours.
        families: Which groups of the family tree a language belongs to.
        two_letters: ISO 639-3 codes by ISO 639-1 code.
    """

    observed: FeatureTable | None = None
    completed: FeatureTable | None = None
    families: FeatureTable | None = None
    two_letters: Mapping[str, str] = field(default_factory=dict)

    @property
    def codes(self) -> frozenset[str]:
        """Every ISO 639-3 code with features."""
        tables = (self.observed, self.completed, self.families)
        return frozenset(code for table in tables if table is not None for code in table.rows)


def read_uriel(folder: Path) -> Uriel:
    """Read what a folder holds of ``feature_averages.npz``, ``feature_predictions.npz``, ``family_features.npz`` and
    ``letter_codes.json``.

    Raises:
        LexigraftError: A file that cannot be read, or holds something else.
    """
    observed, completed, families = (_table(folder / name) for name in (_OBSERVED, _COMPLETED, _FAMILIES))
    return Uriel(observed, completed, families, _letter_codes(folder / _CODES))


def _table(path: Path) -> FeatureTable | None:
    if not path.is_file():
        return None
    refuse_pointers([path])
    hint = "Take the files of the package lang2vec as they are"
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _MOST_BYTES:
                raise LexigraftError("URIEL file is too large", path, hint)
        with np.load(path, allow_pickle=False) as arrays:
            codes, names, data = (arrays[name] for name in ("langs", "feats", "data"))
    except _BROKEN as error:
        raise LexigraftError("URIEL file cannot be read", path, f"{hint} ({error})") from None
    if not all(isinstance(array, np.ndarray) for array in (codes, names, data)):
        raise LexigraftError("URIEL file has an unexpected form", path, hint)
    if data.ndim == 3 and data.shape[2] == 1:
        data = data[:, :, 0]
    if codes.ndim != 1 or names.ndim != 1 or data.shape != (len(codes), len(names)) or data.dtype.kind not in "fiu":
        shapes = f"{path}: langs {codes.shape}, feats {names.shape}, data {data.shape}"
        raise LexigraftError("URIEL file has an unexpected form", shapes, hint)
    values = np.nan_to_num(data.astype(np.float32, copy=False), copy=False, nan=UNKNOWN)
    return FeatureTable({str(code): n for n, code in enumerate(codes)}, [str(name) for name in names], values)


def _letter_codes(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        codes = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise LexigraftError("list of language codes cannot be read", path, str(error)) from None
    if not isinstance(codes, dict) or not all(isinstance(code, str) for code in codes.values()):
        raise LexigraftError("list of language codes has an unexpected form", path, 'Expected {"es": "spa", …}')
    return codes
