"""Ranks of donors by hand, and what is said where the evidence is thin or missing."""

from __future__ import annotations

import pytest

from lexigraft.core.data.typology.distances import Distance
from lexigraft.core.data.typology.languages import Language
from lexigraft.core.errors import LexigraftError
from lexigraft.core.transfer.donor_ranking import DonorEvidence, rank_donors
from lexigraft.core.transfer.token_overlap import token_overlap

TARGET = Language("quy", "Quechua")


def donor(code: str, known: int = 50, **values: float | None) -> DonorEvidence:
    distances = {
        kind: Distance(kind, value, value, known, 100, "" if value is not None else f"nothing is known of {code}")
        for kind, value in values.items()
    }
    return DonorEvidence(Language(code), distances)


def test_mean_ranks_by_hand() -> None:
    found = rank_donors(
        TARGET,
        [
            donor("far", syntax=0.9, inventory=0.9, geography=0.8),
            donor("near", syntax=0.1, inventory=0.2, geography=0.3),
            donor("mixed", syntax=0.5, inventory=0.95, geography=0.1),
        ],
    )
    assert [(one.evidence.language.code, one.rank.mean) for one in found.donors] == [
        ("near", pytest.approx((1 + 1 + 2) / 3)),
        ("mixed", pytest.approx((2 + 3 + 1) / 3)),
        ("far", pytest.approx((3 + 2 + 3) / 3)),
    ]
    assert found.kinds == ("syntax", "inventory", "geography")
    assert found.donors[1].rank.low == 1
    assert found.donors[1].rank.high == 3
    assert found.tied == 3
    assert any("cannot be told apart" in note for note in found.notes)
    assert found.notes[-1].startswith("This is likeness, not measured transfer")


def test_agreeing_evidence_is_told_apart() -> None:
    candidates = [donor(f"d{n}", syntax=n / 10, inventory=n / 9, geography=n / 8) for n in range(1, 6)]
    found = rank_donors(TARGET, candidates)
    assert [one.evidence.language.code for one in found.donors] == ["d1", "d2", "d3", "d4", "d5"]
    assert found.tied == 1
    assert not any("thin" in note or "told apart" in note for note in found.notes)


def test_missing_evidence_counts_as_average_and_is_named() -> None:
    found = rank_donors(
        TARGET,
        [
            donor("a", syntax=0.1, geography=0.1, inventory=0.1),
            donor("b", syntax=None, geography=0.2, inventory=0.2),
            donor("c", syntax=0.9, geography=0.3, inventory=0.3),
        ],
    )
    second = found.donors[1]
    assert (second.evidence.language.code, second.missing, second.rank.mean) == ("b", ("syntax",), 2)


def test_distances_over_few_features_are_not_ranked_by() -> None:
    found = rank_donors(TARGET, [donor("a", 9, syntax=0.1, geography=0.2), donor("b", 9, syntax=0.9, geography=0.1)])
    assert found.kinds == ("geography",)
    assert found.donors[0].evidence.language.code == "b"
    assert "Syntax is not ranked by: at most 9 of 100 features are known both in quy and in a donor." in found.notes
    assert "The evidence is thin: it is geography alone, too little for an interval." in found.notes
    assert found.donors[0].rank.low == found.donors[0].rank.high


def test_equal_distances_tell_nothing() -> None:
    found = rank_donors(TARGET, [donor("a", genealogy=1, geography=0.2), donor("b", genealogy=1, geography=0.1)])
    assert found.kinds == ("geography",)
    assert "Genealogy is not ranked by: all donors that are known in it are equally far." in found.notes
    with pytest.raises(LexigraftError, match=r"no evidence tells the donors of this language apart: quy \(Quechua\)"):
        rank_donors(TARGET, [donor("a", genealogy=1), donor("b", genealogy=1)])
    with pytest.raises(LexigraftError, match="no evidence"):
        rank_donors(TARGET, [donor("a", syntax=None)])


def test_overlap_and_size_of_texts_count_the_more_the_better() -> None:
    own = ["wasi mayu inti killa"]
    texts = {"small": ["wasi mayu inti"], "large": ["casa rio sol luna dia"]}
    candidates = [
        DonorEvidence(Language(code), {}, token_overlap(text, own), len(text[0]), 0.0) for code, text in texts.items()
    ]
    found = rank_donors(TARGET, candidates)
    assert found.kinds == ("overlap", "size")
    assert [one.rank.mean for one in found.donors] == [1.5, 1.5]


def test_text_that_copies_the_targets_is_named() -> None:
    own = ["wasi mayu inti killa"]
    copied = DonorEvidence(Language("a"), {}, token_overlap(own, own), 20, 0.5)
    other = DonorEvidence(Language("b"), {}, token_overlap(["casa"], own), 30, 0.0)
    notes = rank_donors(TARGET, [copied, other]).notes
    assert any(note.startswith("The text of a has word sequences of 50% of the target's lines") for note in notes)
    assert not any(note.startswith("The text of b") for note in notes)


def test_the_target_and_nobody_are_refused() -> None:
    with pytest.raises(LexigraftError, match=r"cannot be its own donor: quy"):
        rank_donors(TARGET, [donor("quy", syntax=0.0)])
    with pytest.raises(LexigraftError, match="no donor to rank"):
        rank_donors(TARGET, [])
