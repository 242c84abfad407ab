"""Typology and overlap on the real data: figures that a reader can check against URIEL, WALS and an atlas."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.real_tokenizers import DATA, load_real
from lexigraft.api.transfer.donors import donors
from lexigraft.api.transfer.overlap import overlap
from lexigraft.core.data.typology.database import Typology, load_typology
from lexigraft.core.data.typology.distances import kilometers
from lexigraft.core.errors import LexigraftError

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.exists(), reason=f"no real data at {DATA}; name its folder in LEXIGRAFT_DATA"),
]


@pytest.fixture(scope="module")
def data() -> Typology:
    return load_typology(DATA / "typology")


def test_near_languages_are_near(data: Typology) -> None:
    spanish = data.find("es")
    french, quechua = (data.distances(spanish, data.find(name)) for name in ("French", "quy_Latn"))
    # By sounds it is the other way: French has nasal and rounded vowels that neither Spanish nor Quechua has.
    for kind in ("syntax", "genealogy", "geography", "wals"):
        one, other = french[kind].value, quechua[kind].value
        assert one is not None
        assert other is not None
        assert one < other, kind
    far = kilometers(french["geography"])
    assert far is not None
    assert 850 < far < 1050  # from 40°N 4°W to 48°N 2°E
    assert (quechua["phonology"].known, quechua["phonology"].observed) == (0, None)


def test_quechua_is_many_languages(data: Typology) -> None:
    with pytest.raises(LexigraftError, match=r"several languages have this name: Quechua\. .*quy.*quz"):
        data.find("Quechua")
    assert data.find("Quechua (Cuzco)").code == "quz"


def test_donors_for_quechua_are_thin_evidence() -> None:
    found = donors("quy", DATA / "typology", candidates=["spa", "eng", "swh", "Guaraní"])
    assert found.ranking.donors[0].evidence.language.code == "gug"
    assert any(note.startswith("Phonology is not ranked by: at most 0 of 28") for note in found.notes)
    assert any("thin" in note for note in found.notes)


def test_overlap_of_spanish_and_quechua_under_mbert(tmp_path: Path) -> None:
    load_real("mBERT", tmp_path)
    texts = [[DATA / "quechua/parallel" / f"constitution-pe.{side}.gz"] for side in ("es", "que")]
    tokens = overlap(*texts, tokenizer=str(tmp_path / "mBERT")).overlap
    words = overlap(*texts).overlap
    assert 0.2 < tokens.by_types < 0.8
    assert tokens.by_types > words.by_types
    assert tokens.by_mass > words.by_mass > 0
    assert tokens.target.fragment_share == 0
