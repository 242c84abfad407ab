"""`lexigraft dictionary` as a user calls it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.commands import lexigraft
from lexigraft.testing.tiny_models import fixture


def build(folder: Path, *options: object) -> dict[str, int]:
    done = lexigraft("dictionary", "build", *options, "--out", folder / "o.tsv", "--force", "--json")
    assert done.code == 0, done
    assert done.json.pop("out") == str(folder / "o.tsv")
    counts: dict[str, int] = done.json
    del counts["out"]
    return counts


def rows(folder: Path) -> list[str]:
    return (folder / "o.tsv").read_text(encoding="utf-8").splitlines()


@pytest.fixture
def words(tmp_path: Path) -> Path:
    (tmp_path / "en-qu.tsv").write_text("House\twasi\nhouse\tWasi\na little\taslla\nriver\tmayu\nriver\n")
    (tmp_path / "en-es.tsv").write_text("house\tcasa\nhouse\thogar\na little\tun poco\nsun\tsol\n")
    return tmp_path


def test_case_inversion_and_words_of_several(words: Path) -> None:
    assert build(words, words / "en-qu.tsv") == {"rows": 5, "rejected": 1, "repeated": 0, "entries": 4}
    assert rows(words) == ["House\twasi", "house\tWasi", "a little\taslla", "river\tmayu"]
    lower = ["--case", "lower", "--invert", "--multiword"]
    found = build(words, words / "en-qu.tsv", *lower, "drop")
    assert found == {"rows": 5, "rejected": 1, "repeated": 1, "dropped for several words": 1, "entries": 2}
    assert rows(words) == ["wasi\thouse", "mayu\triver"]
    assert build(words, words / "en-qu.tsv", *lower, "first")["shortened to a word"] == 1
    assert rows(words)[1] == "aslla\ta"


def test_a_pivot_joins_on_the_first_column(words: Path) -> None:
    found = build(words, words / "en-qu.tsv", "--pivot", words / "en-es.tsv", "--case", "lower")
    # house: wasi (once, after lower case) × casa, hogar; a little: aslla × un poco.
    assert found == {"rows": 9, "rejected": 1, "repeated": 1, "joined": 3, "entries": 3}
    assert rows(words) == ["wasi\tcasa", "wasi\thogar", "aslla\tun poco"]


def test_words_of_parallel_text_with_their_counts(tmp_path: Path) -> None:
    lines = {"wasi": "house", "mayu": "river", "rumi": "stone", "inti": "sun"}
    text = [(a, lines[a]) for a in lines for _ in range(3)]
    text += [(f"{a}, {b}", f"{lines[a]}, {lines[b]}") for a in lines for b in lines if a != b]
    # Equal pairs of lines count once: each word stands alone once, and in six pairs.
    for n, name in enumerate(("qu.txt", "en.txt")):
        (tmp_path / name).write_text("".join(f"{pair[n]}\n" for pair in text))
    both = ["--from-parallel", tmp_path / "qu.txt", tmp_path / "en.txt"]
    found = build(tmp_path, *both, "--min-count", 7)
    assert found["sentences"] == 4 + 12
    assert found["entries"] == 4
    assert sorted(rows(tmp_path)) == sorted(f"{a}\t{b}\t7" for a, b in lines.items())
    refused = lexigraft("dictionary", "build", *both, "--min-count", 8, "--out", tmp_path / "n.tsv")
    assert (refused.code, "no entry is left" in refused.err) == (2, True)
    assert not (tmp_path / "n.tsv").exists()


def test_a_share_of_links_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("".join(f"x {n}\n" for n in range(10)))
    (tmp_path / "b").write_text("".join(f"{'ppppppppqr'[n]} {n}\n" for n in range(10)))
    # "x" is linked ten times: eight times with p, once with q, once with r.
    monkeypatch.setattr(
        "lexigraft.api.dictionary.from_parallel.ALIGNERS", {"builtin": lambda s, t: [[(0, 0)] for _ in s]}
    )
    both = ["--from-parallel", tmp_path / "a", tmp_path / "b", "--min-count", 1]
    build(tmp_path, *both, "--min-probability", 0.1)
    assert rows(tmp_path) == ["x\tp\t8", "x\tq\t1", "x\tr\t1"]
    assert build(tmp_path, *both, "--min-probability", 0.11)["too rare or improbable"] == 2
    assert rows(tmp_path) == ["x\tp\t8"]


def test_show_says_what_the_words_reach(tmp_path: Path) -> None:
    _, tokenizer, _ = fixture("gpt2-tied")
    tokenizer.save_pretrained(tmp_path / "t")
    one = next(t[1:] for t in tokenizer.get_vocab() if t.startswith("Ġ") and t[1:].isalpha() and len(t) > 3)
    (tmp_path / "d.tsv").write_text(f"{one}\tmayu\nxqzj wvk\tMayu\n")
    (tmp_path / "t.txt").write_text(f"Mayu, {one.upper()} kay.\nkay mayu\n")
    command = ["dictionary", "show", tmp_path / "d.tsv", "--tokenizer", tmp_path / "t", "--corpus", tmp_path / "t.txt"]
    found = lexigraft(*command, "--entries", 1, "--json").json
    assert (found["entries"], found["rejected"], found["first"]) == (2, 0, [[one, "mayu", None]])
    assert found["source"]["words"] == {"words": 2, "of_several_words": 1}
    reached = found["source"]["tokenizer"]
    assert (reached["single"], reached["whole_word_tokens"]) == (1, 1)
    assert reached["tokens"] == len(tokenizer.get_vocab()) - len(tokenizer.all_special_ids)
    # mayu twice, one word of the source, and kay twice; mayu and Mayu are one word without case.
    assert found["source"]["corpus"] == {"words": 1, "found": 1, "running": 5, "running_covered": 1}
    assert found["target"]["corpus"] == {"words": 1, "found": 1, "running": 5, "running_covered": 2}
    shown = lexigraft(*command)
    assert shown.code == 0, shown
    assert "corpus: running covered" in shown.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "give dictionaries or parallel text"),
        (["d.tsv", "--from-parallel", "d.tsv", "d.tsv"], "give dictionaries or parallel text"),
        (["nowhere.tsv"], "dictionary not found"),
        (["empty.tsv"], "dictionary has no usable pair: empty.tsv (1 rejected)"),
        (["d.tsv", "--pivot", "other.tsv"], "the dictionaries share no first column"),
        (["d.tsv", "--multiword", "drop"], "no entry is left"),
        (["--from-parallel", "d.tsv", "other.tsv"], "sides of different length"),
    ],
)
def test_bad_input_is_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], said: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("d.tsv").write_text("a little\taslla\n")
    Path("empty.tsv").write_text("a\n")
    Path("other.tsv").write_text("b\tc\nd\te\n")
    done = lexigraft("dictionary", "build", *options, "--out", "o.tsv")
    assert done.code == 2
    assert said in done.err
    assert not Path("o.tsv").exists()


def test_brackets_and_escapes_in_words_are_shown_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "d.tsv").write_text("[/b]\t[red]\nx\x1b[31m\ty\n")
    shown = lexigraft("dictionary", "show", tmp_path / "d.tsv")
    assert shown.code == 0, shown
    assert "[/b]     [red]" in " ".join(shown.out.split("\n"))
    assert "x\ufffd[31m" in shown.out


def test_an_existing_file_is_kept(words: Path) -> None:
    build(words, words / "en-qu.tsv")
    again = lexigraft("dictionary", "build", words / "en-es.tsv", "--out", words / "o.tsv")
    assert (again.code, "output file exists" in again.err) == (2, True)
    assert rows(words)[0] == "House\twasi"
