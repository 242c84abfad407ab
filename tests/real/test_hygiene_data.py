"""Published dictionaries and corpora: what the guides say of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.real_tokenizers import DATA
from lexigraft.api.corpus.clean import CleanSettings, clean_text, evaluation_sets
from lexigraft.api.dictionary.build import BuildSettings, build_dictionary

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA.exists(), reason=f"no real data at {DATA}; name its folder in LEXIGRAFT_DATA"),
]


def test_freedict_gives_swahili_words_with_their_translations(tmp_path: Path) -> None:
    settings = BuildSettings(case="lower", multiword="drop")
    made = build_dictionary([DATA / "swahili/swh-eng.dict.gz"], tmp_path / "d.tsv", settings)
    assert made.counts == {
        "rows": 3585, "rejected": 516, "repeated": 2, "dropped for several words": 584, "entries": 2483,
    }  # fmt: skip
    assert {("abudu", "worship"), ("abudu", "revere"), ("abiria", "passenger")} <= set(made.dictionary.pairs)


def test_english_joins_quechua_and_spanish(tmp_path: Path) -> None:
    quechua, spanish = (DATA / f"multilingual/gatitos/en_{code}.tsv.gz" for code in ("qu", "es"))
    made = build_dictionary([quechua], tmp_path / "d.tsv", BuildSettings(case="lower"), pivot=[spanish])
    assert made.counts["entries"] == 3644


def test_guarani_news_repeat_themselves_and_hold_no_flores(tmp_path: Path) -> None:
    unseen = evaluation_sets([DATA / "multilingual/flores-200/grn.dev+devtest.txt.gz"])
    settings = CleanSettings(min_chars=10, scripts=("Latn",))
    made = clean_text([DATA / "guarani/parallel/train.gn.gz"], tmp_path / "gn.txt", settings, evaluation=unseen)
    assert (made.lines, made.kept) == (26_032, 14_447)
    assert made.dropped == {
        "empty": 0, "too_short": 88, "other_script": 0, "duplicate": 11_497, "evaluation_text": 0,
    }  # fmt: skip
