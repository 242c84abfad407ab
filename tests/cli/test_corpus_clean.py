"""`lexigraft corpus clean` as a user calls it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from fixtures.commands import Outcome, lexigraft

TEXT = "Hatun wasi\nmayu mama\n\nhatun wasi\nHatun wasi\nthe river is long and wide\n"


def clean(folder: Path, *options: object, out: str = "out.txt", text: str = TEXT) -> Outcome:
    (folder / "t.txt").write_text(text, encoding="utf-8")
    return lexigraft("corpus", "clean", folder / "t.txt", "--out", folder / out, *options)


def test_the_output_holds_what_is_left_and_the_counts_say_why(tmp_path: Path) -> None:
    done = clean(tmp_path, "--json", "--max-chars", 12)
    assert done.code == 0, done
    assert (tmp_path / "out.txt").read_text() == "Hatun wasi\nmayu mama\nhatun wasi\n"
    assert done.json == {
        "out": str(tmp_path / "out.txt"), "lines": 6, "kept": 3, "bytes": 29,
        "dropped": {"empty": 1, "too_long": 1, "duplicate": 1}, "evaluation": {},
        "examples": {"too_long": ["the river is long and wide"], "duplicate": ["Hatun wasi"]},
    }  # fmt: skip
    again = clean(tmp_path)
    assert (again.code, "output file exists" in again.err) == (2, True)
    shown = clean(tmp_path, "--force", "--examples", 1)
    assert "dropped: duplicate  1" in shown.out
    assert shown.out.endswith("duplicate: Hatun wasi\n")


def test_json_lines_keep_texts_of_several_lines_and_gzip_is_the_same_twice(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"body": "one\ntwo"}) + "\n")
    command = ["corpus", "clean", tmp_path / "a.jsonl", "--text-field", "body", "--out"]
    refused = lexigraft(*command, tmp_path / "o.txt")
    assert (refused.code, "a text holds several lines" in refused.err) == (2, True)
    for name in ("o.jsonl.gz", "p.jsonl.gz"):
        assert lexigraft(*command, tmp_path / name).code == 0
    assert (tmp_path / "o.jsonl.gz").read_bytes() == (tmp_path / "p.jsonl.gz").read_bytes()
    assert json.loads(gzip.decompress((tmp_path / "o.jsonl.gz").read_bytes())) == {"text": "one\ntwo"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl", "o.jsonl.gz", "p.jsonl.gz"]


def test_what_a_recipe_measures_is_taken_out_or_refused(tmp_path: Path) -> None:
    files = {
        "held.txt": "the river is long and wide\n",
        "train.tsv": "wasi\tNOUN\nhatun\tADJ\n",
        "test.tsv": "mayu\tNOUN\nmama\tNOUN\n",
        "r.yaml": (
            "source: m\ntarget_tokenizer: t\nstrategies: [mean]\ncorpus: {train: [t.txt], heldout: [held.txt]}\n"
            "evaluation:\n  tasks:\n    pos: {evaluator: tagging, files: {train: train.tsv, test: test.tsv}}\n"
        ),
        "share.yaml": "source: m\ntarget_tokenizer: t\nstrategies: [mean]\ncorpus: {train: [t.txt]}\n",
    }
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    done = clean(tmp_path, "--recipe", tmp_path / "r.yaml", "--without", tmp_path / "held.txt", "--json")
    assert done.code == 0, done
    assert (tmp_path / "out.txt").read_text() == "Hatun wasi\nhatun wasi\n"
    assert done.json["dropped"]["evaluation_text"] == 2
    assert done.json["evaluation"] == {str(tmp_path / "held.txt"): 1, "heldout": 0, "task pos": 1}
    refused = clean(tmp_path, "--recipe", tmp_path / "r.yaml", "--overlap", "refuse", out="no.txt")
    assert refused.code == 2
    assert "the text holds evaluation text: 2 lines of heldout (1), task pos (1); 'mayu mama'" in refused.err
    assert not (tmp_path / "no.txt").exists()
    nothing = clean(tmp_path, "--recipe", tmp_path / "share.yaml", out="no.txt")
    assert (nothing.code, "names no evaluation text" in nothing.err) == (2, True)


def test_lines_of_other_languages_are_dropped(tmp_path: Path) -> None:
    import fasttext

    lines = {"quy_Latn": "hatun wasi mayu", "eng_Latn": "the river is long"}
    (tmp_path / "train").write_text("".join(f"__label__{name} {text}\n" * 60 for name, text in lines.items()))
    options = {"dim": 8, "epoch": 20, "thread": 1, "verbose": 0, "bucket": 1000, "lr": 1.0}
    fasttext.train_supervised(str(tmp_path / "train"), **options).save_model(str(tmp_path / "lid.bin"))
    done = clean(tmp_path, "--language", "quy_Latn", "--language-model", tmp_path / "lid.bin", "--json")
    assert done.json["dropped"] == {"empty": 1, "duplicate": 1, "other_language": 1}
    assert done.json["examples"]["other_language"] == ["the river is long and wide"]
    unknown = clean(tmp_path, "--language", "qu", "--language-model", tmp_path / "lid.bin", "--force")
    assert (unknown.code, "does not know this language: qu" in unknown.err) == (2, True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--language", "quy_Latn"], "a language needs a model that identifies it"),
        (["--script", "Latin"], "unknown script"),
        (["--min-chars", 9, "--max-chars", 3], "no line is as long"),
        (["--min-chars", 99], "no line is left: empty (1), too_short (5)"),
        (["--without", "nowhere.txt"], "text not found"),
        (["--recipe", "nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_bad_input_is_one_error_and_nothing_is_written(tmp_path: Path, options: list[object], said: str) -> None:
    done = clean(tmp_path, *options)
    assert done.code == 2
    assert said in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["t.txt"]


def test_the_output_must_have_an_ending_that_is_known(tmp_path: Path) -> None:
    done = clean(tmp_path, out="out.parquet")
    assert (done.code, "output has another ending" in done.err) == (2, True)
