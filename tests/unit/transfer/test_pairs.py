"""Tables of pairs: columns, gains, repeated and unknown values, and each broken table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lexigraft.core.errors import LexigraftError, UnknownName
from lexigraft.core.transfer.pairs import PairTable, read_pairs


def write(folder: Path, text: str) -> Path:
    path = folder / "pairs.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_gains_are_computed_from_zero_shot_figures(tmp_path: Path) -> None:
    path = write(tmp_path, "donor,target,family,overlap,ppl,base\nspa,quy,IE,0.5,10,12\neng,quy,IE,0.25,13,12\n")
    lower = read_pairs(path, outcome="ppl", zero_shot="base", lower_is_better=True)
    assert lower.donors == ("spa", "eng")
    assert lower.targets == ("quy", "quy")
    assert list(lower.features) == ["overlap"], "a column of words is no feature, neither is the zero-shot figure"
    assert lower.gains is not None
    assert lower.gains.tolist() == lower.better.tolist() == [2, -1]
    assert lower.outcome.tolist() == [10, 13]
    higher = read_pairs(path, outcome="ppl", zero_shot="base")
    assert higher.gains is not None
    assert higher.gains.tolist() == [-2, 1]
    without = read_pairs(path, outcome="ppl", lower_is_better=True, features=["overlap"])
    assert without.gains is None
    assert without.better.tolist() == [-10, -13]


def test_seeds_of_a_pair_are_averaged_and_counted(tmp_path: Path) -> None:
    found = read_pairs(write(tmp_path, "donor,target,seed,gain,x\na,b,0,1,5\na,b,1,3,5\nc,b,0,4,\n"))
    assert found.outcome.tolist() == [2, 4]
    assert list(found.features) == ["x"]
    assert np.isnan(found.features["x"][1])
    assert found.notes == (
        "1 rows repeat a pair: the means of 2 pairs are analyzed.",
        "x is unknown for 1 of 2 pairs; they count nowhere for it.",
    )


def test_pairs_without_an_outcome_are_left_out_and_counted(tmp_path: Path) -> None:
    found = read_pairs(write(tmp_path, "donor,target,gain\na,b,1\nc,b,\nd,b,null\ne,b,inf\n"))
    assert found.donors == ("a",)
    assert found.notes == ("3 rows without a finite gain were left out.",)


def test_a_table_may_be_compressed(tmp_path: Path) -> None:
    import gzip

    path = tmp_path / "pairs.csv.gz"
    path.write_bytes(gzip.compress(b"donor,target,gain\na,b,1\n"))
    assert len(read_pairs(path)) == 1


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("donor,target,gain\nquy,quy,1\n", "a donor is its own target: quy"),
        ("donor,target,gain\n,quy,1\n", r"lacks its donor or target: .*line 2"),
        ("donor,target,gain\na,b,good\n", r"cell is not a number: .*line 2, column gain: 'good'"),
        ("donor,target,gain\na,b,\n", "table has no pair with an outcome"),
        ("donor,target,gain\n", "table has no pair with an outcome"),
        ("donor,target,gain\na,b,1,2\n", "more cells than the header"),
        ("donor,target,gain,gain\na,b,1,2\n", "two columns of one name"),
        ('donor,target,gain\na,"b,1\n', "CSV file cannot be read"),
        ("", "unknown column: donor"),
    ],
)
def test_broken_tables_are_refused(tmp_path: Path, text: str, error: str) -> None:
    with pytest.raises(LexigraftError, match=error):
        read_pairs(write(tmp_path, text))


def test_wrong_questions_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "donor,target,gain,perplexity\na,b,1,2\n")
    with pytest.raises(UnknownName, match=r"unknown column: perplexty.*Did you mean 'perplexity'"):
        read_pairs(path, outcome="perplexty")
    with pytest.raises(UnknownName, match="unknown column: overlap"):
        read_pairs(path, features=["overlap"])
    with pytest.raises(LexigraftError, match="a column cannot explain itself: gain"):
        read_pairs(path, features=["gain"])
    with pytest.raises(LexigraftError, match="lower gains are never better"):
        read_pairs(path, lower_is_better=True)
    with pytest.raises(LexigraftError, match="table of pairs not found"):
        read_pairs(tmp_path / "none.csv")
    with pytest.raises(LexigraftError, match="no pair"):
        PairTable((), (), np.array([]))
