"""`overlap`, `donors` and `analyze` on small files: what they print, and one clear error for each bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fixtures.commands import lexigraft
from fixtures.typology import write_typology
from lexigraft.testing.tiny_tokenizers import tiny_tokenizer

SPANISH = "la casa esta cerca del rio grande\nel sol sale por el este cada dia\nmama come pan con sal\n"
QUECHUA = "mayu wasi mayu killa pacha\nmama wasi sal inti kancha\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("transfer")
    write_typology(home / "typology")
    texts = home / "texts"
    texts.mkdir()
    for name, text in (("aaa.txt", QUECHUA), ("bbb_Latn.txt", SPANISH), ("mac.jsonl", '{"text": "mama wasi"}\n')):
        (texts / name).write_text(text, encoding="utf-8")
    tiny_tokenizer("unigram").save_pretrained(home / "tokenizer")
    rows = ["donor,target,overlap,perplexity,zero_shot"]
    for i, donor in enumerate("abcde"):
        for j, target in enumerate("vwxyz"):
            shared = ((3 * i + 2 * j) % 7 + 1) / 10
            rows.append(f"{donor},{target},{shared},{100 - 100 * shared + i + j},{60 + j}")
    (home / "pairs.csv").write_text("\n".join(rows), encoding="utf-8")
    return home


def test_overlap_of_words(folder: Path) -> None:
    done = lexigraft("overlap", folder / "texts/bbb_Latn.txt", folder / "texts/aaa.txt")
    assert done.code == 0, done
    # mama and sal, of mayu wasi killa pacha mama sal inti kancha; 2 of 10 words.
    assert done.out.startswith("Of the target's words the donor's text has 25.0% by types (2 of 8) and 20.0% by freq")
    assert "13-gram check: 0 of 2 target lines" in done.out


def test_overlap_of_tokens_as_json(folder: Path) -> None:
    texts = folder / "texts"
    done = lexigraft(
        "overlap", texts / "bbb_Latn.txt", texts / "aaa.txt", "--tokenizer", folder / "tokenizer", "--json"
    )
    assert done.code == 0, done
    found = done.json
    assert 0 < found["by_types"] < 1
    assert found["target"]["tokens"] > found["target"]["words"] == 10
    assert {"fragment_share", "unknown_share"} <= set(found["donor"])
    assert found["copied"] == {"lines": 2, "copied_lines": 0, "ngrams": 2, "copied_ngrams": 0, "short_lines": 0}


def test_a_copied_text_is_noticed_and_refused_as_evaluation_text(folder: Path, tmp_path: Path) -> None:
    both = tmp_path / "both.txt"
    both.write_text(SPANISH + QUECHUA, encoding="utf-8")
    done = lexigraft("overlap", both, folder / "texts/aaa.txt")
    assert "13-gram check: 2 of 2 target lines" in done.out
    assert "their overlap says little about the two languages" in done.out
    done = lexigraft("overlap", both, folder / "texts/aaa.txt", "--evaluation", folder / "texts/aaa.txt")
    assert done.code == 2
    assert "2 of 2 evaluation lines share a sequence of 13 words" in done.err
    assert "Traceback" not in done.err


def test_overlap_at_equal_size(folder: Path) -> None:
    done = lexigraft("overlap", folder / "texts/bbb_Latn.txt", folder / "texts/aaa.txt", "--max-lines", 1, "--json")
    assert (done.json["donor"]["lines"], done.json["target"]["lines"]) == (1, 1)


def test_donors_by_typology_alone(folder: Path) -> None:
    done = lexigraft("donors", "Alfa", "--typology", folder / "typology", "--candidate", "bbb", "--candidate", "ccc")
    assert done.code == 0, done
    assert done.out.startswith("Donors for aaa (Alfa), by genealogy; 0 is alike, 1 is unlike")
    assert "The evidence is thin: it is genealogy alone" in done.out
    assert "No overlap of texts" in done.out
    assert "This is likeness, not measured transfer" in done.out


def test_donors_of_a_folder_of_texts_as_json(folder: Path) -> None:
    done = lexigraft("donors", "al", "--typology", folder / "typology", "--have", folder / "texts", "--json")
    assert done.code == 0, done
    assert {one["code"] for one in done.json["donors"]} == {"bbb", "mac"}, "the target is no candidate"
    by_code = {one["code"]: one for one in done.json["donors"]}
    assert by_code["bbb"]["bytes"] == sum(len(line) for line in SPANISH.splitlines())
    assert by_code["bbb"]["distances"]["syntax"]["known"] == 2
    assert by_code["mac"]["distances"]["wals"]["missing"] == "WALS has no values of mac"
    # Texts are cut to the smallest, "mama wasi": of bbb that is one line, "la casa …", which shares nothing.
    assert by_code["mac"]["overlap"]["by_mass"] == 3 / 10
    assert by_code["bbb"]["overlap"]["by_mass"] == 0
    assert done.json["kinds"] == ["genealogy", "overlap", "size"]


def test_donors_without_a_list_take_the_languages_with_two_letters(folder: Path) -> None:
    done = lexigraft("donors", "mac", "--typology", folder / "typology", "--json")
    assert {one["code"] for one in done.json["donors"]} == {"aaa", "bbb"}, done


def test_analysis_of_a_table(folder: Path) -> None:
    arguments = ["analyze", folder / "pairs.csv", "--outcome", "perplexity", "--lower-is-better"]
    done = lexigraft(*arguments, "--zero-shot", "zero_shot")
    assert done.code == 0, done
    assert "25 pairs of 5 donors and 5 targets find a rank correlation of 0.5" in done.out
    assert "Base rate: " in done.out
    assert "improves: balanced accuracy" in done.out
    assert "The predictor explains " in done.out
    found = lexigraft(*arguments, "--zero-shot", "zero_shot", "--json").json
    (correlation,) = found["correlations"]
    assert correlation["pearson"] < -0.9
    assert found["prediction"]["r2"] > 0.8 > found["prediction"]["r2_of_mean"]
    assert found["prediction"]["improvement"]["auc"] > 0.9
    assert len(found["donors"]) == 5


def test_a_table_without_features_still_has_means(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "gains.csv"
    path.write_text("donor,target,gain\na,x,1\na,y,2\nb,x,-1\nb,y,0\n")
    done = lexigraft("analyze", path)
    assert done.code == 0, done
    assert "2 (100%)" in done.out
    assert json.loads(lexigraft("analyze", path, "--json").out)["prediction"] is None


BAD = {
    "a language with two names": (["donors", "bravo"], "several languages have this name: bravo"),
    "an unknown language": (["donors", "qqq"], "no language of this code or name: qqq"),
    "a donor that is the target": (["donors", "aaa", "--candidate", "Alfa"], "cannot be its own donor: aaa (Alfa)"),
    "a language without text": (["donors", "aaa", "--have", "EMPTY"], "corpus is empty"),
    "a folder without languages": (["donors", "aaa", "--have", "NAMELESS"], "no text that is named by a language"),
    "no folder": (["donors", "aaa", "--have", "NOWHERE"], "folder of texts not found"),
    "a tokenizer without texts": (["donors", "aaa", "--tokenizer", "x"], "a tokenizer is for overlaps of texts"),
    "a language without typology": (["donors", "ccc", "--candidate", "wals:non"], "no evidence tells the donors"),
    "fewer pairs than features": (["analyze", "FEW"], "fewer pairs than features: 2 pairs, 3 features"),
    "its own donor": (["analyze", "OWN"], "a donor is its own target: a"),
    "no table": (["analyze", "NOWHERE"], "table of pairs not found"),
    "no text": (["overlap", "NOWHERE", "FEW"], "text not found"),
    "no tokenizer": (["overlap", "FEW", "FEW", "--tokenizer", "./NOWHERE"], "tokenizer"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_error(case: str, folder: Path, tmp_path: Path) -> None:
    arguments, error = BAD[case]
    (tmp_path / "EMPTY").mkdir()
    (tmp_path / "EMPTY/bbb.txt").write_text("\n\n")
    (tmp_path / "NAMELESS").mkdir()
    (tmp_path / "NAMELESS/notes.txt").write_text("words\n")
    (tmp_path / "FEW").write_text("donor,target,gain,x,y,z\na,b,1,2,3,5\nc,b,2,3,4,1\n")
    (tmp_path / "OWN").write_text("donor,target,gain\na,a,1\n")
    given = [str(tmp_path / one) if one.isupper() else one for one in arguments]
    if arguments[0] == "donors":
        given += ["--typology", str(folder / "typology")]
    done = lexigraft(*given)
    assert done.code == 2, done
    assert error in done.err
    assert done.err.count("error:") == 1
    assert done.out == ""
