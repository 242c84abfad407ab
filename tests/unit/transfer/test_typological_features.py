"""Distances as features of a table: looked up by any name, unknown ones NaN and said."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from fixtures.typology import write_typology
from lexigraft.core.data.typology.database import Typology, load_typology
from lexigraft.core.errors import LexigraftError
from lexigraft.core.transfer.pairs import PairTable
from lexigraft.core.transfer.typological_features import with_distances


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Typology:
    return load_typology(write_typology(tmp_path_factory.mktemp("typology") / "data"))


TABLE = PairTable(("Alfa", "Alfa", "Klingon"), ("bbb", "iso", "bbb"), np.array([1.0, 2, 3]), notes=("As read.",))


def test_distances_become_columns_and_unknown_ones_stay_unknown(data: Typology) -> None:
    found = with_distances(TABLE, data)
    assert list(found.features) == ["syntax", "phonology", "inventory", "genealogy", "geography"]
    assert found.features["syntax"] == pytest.approx(
        [1 - 2 / math.sqrt(6), 1 - 1 / math.sqrt(6), math.nan], nan_ok=True
    )
    assert found.features["genealogy"] == pytest.approx([1 - 2 / math.sqrt(6), math.nan, math.nan], nan_ok=True)
    assert found.notes[:2] == ("As read.", "1 languages are not in the typological data: Klingon.")
    # Of four features of syntax two are known in aaa and bbb, all four in aaa and iso.
    assert found.notes[2].startswith("Distances of syntax are known for 2 of 3 pairs; of their features, 75% are known")
    assert "Distances of genealogy are known for 1 of 3 pairs." in found.notes


def test_a_kind_that_no_pair_is_known_in_is_left_out(data: Typology) -> None:
    gains = np.array([1.0])
    found = with_distances(PairTable(("aaa",), ("iso",), gains), data)
    assert "genealogy" not in found.features
    assert "No pair has a distance of genealogy." in found.notes


def test_tables_that_distances_do_not_fit_are_refused(data: Typology) -> None:
    with pytest.raises(LexigraftError, match="column with the name of a distance: syntax"):
        with_distances(replace(TABLE, features={"syntax": np.ones(3)}), data)
    with pytest.raises(LexigraftError, match="no language of the table is in the typological data: Elvish"):
        with_distances(PairTable(("Elvish",), ("Klingon",), np.array([1.0])), data)
