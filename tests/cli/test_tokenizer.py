"""`lexigraft tokenizer`: figures, tokenizers that are written, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoTokenizer

from fixtures.commands import Files, lexigraft
from lexigraft.testing.sample_text import SAMPLE
from lexigraft.testing.tiny_models import fixture
from lexigraft.testing.tiny_tokenizers import tiny_tokenizer

pytestmark = pytest.mark.slow


def test_report_compares_tokenizers(files: Files, tmp_path: Path) -> None:
    lines = files.text.read_text().splitlines()[:4]
    left, right = tmp_path / "left.txt", tmp_path / "right.txt"
    left.write_text("\n".join(lines))
    right.write_text("\n".join(f"{line} {line}" for line in lines))
    given = ["tokenizer", "report", files.source, files.target, "--corpus", files.text, "--parallel", f"{left},{right}"]
    done = lexigraft(*given, "--model", files.source, "--json")
    assert done.code == 0, done
    source, target = (done.json["tokenizers"][str(one)] for one in (files.source, files.target))
    assert done.json["lengths"] == {
        str(files.source): 1.0,
        str(files.target): target["tokens"] / source["tokens"],
    }
    assert done.json["context_gains"][str(files.target)] == pytest.approx(source["tokens"] / target["tokens"])
    assert done.json["speeds"][str(files.source)] == 1.0
    assert done.json["speeds"][str(files.target)] > 0
    assert done.json["parity"][str(files.target)]["premiums"] == [1.0, pytest.approx(2, abs=0.05)]
    shown = lexigraft(*given).out
    assert all(label in shown for label in ("fertility", "Rényi efficiency", "tokens never produced", "Gini"))


def test_report_writes_a_page_that_shows_the_segmentation(files: Files, tmp_path: Path) -> None:
    text, page = tmp_path / "t.txt", tmp_path / "page.html"
    text.write_text("the river <script>\n")
    given = ["tokenizer", "report", files.source, files.target, "--corpus", text]
    done = lexigraft(*given, "--parallel", f"{text},{text}", "--html", page)
    assert done.code == 0, done
    written = page.read_text(encoding="utf-8")
    assert "<script" not in written
    assert all(title in written for title in ("Tokens of the text", "Parity: t.txt", "fertility", "How they cut"))
    measured = lexigraft(*given, "--json").json["tokenizers"]
    for name in (files.source, files.target):
        assert f"{name.name}: {measured[str(name)]['tokens']} tokens" in written
    refused = lexigraft(*given, "--html", tmp_path / "no" / "page.html")
    assert refused.code == 2
    assert "folder does not exist" in refused.err


def test_report_warns_of_text_without_spaces(files: Files, tmp_path: Path) -> None:
    text = tmp_path / "thai.txt"
    text.write_text("ฉันไปตลาด\n")
    done = lexigraft("tokenizer", "report", files.target, "--corpus", text)
    assert done.code == 0, done
    assert "without spaces between words" in done.err


def test_report_refuses_what_it_cannot_measure(files: Files, tmp_path: Path) -> None:
    mistakes = {
        "two files": [files.target, "--corpus", files.text, "--parallel", files.text],
        "tokenizer not found": [tmp_path / "none", "--corpus", files.text],
        "text not found": [files.target, "--corpus", tmp_path / "no.txt"],
    }
    for message, given in mistakes.items():
        done = lexigraft("tokenizer", "report", *given)
        assert done.code == 2
        assert message in done.err
        assert "Traceback" not in done.err


def test_extend_writes_a_tokenizer_and_says_what_changes(tmp_path: Path) -> None:
    source, out, text = tmp_path / "source", tmp_path / "out", tmp_path / "t.txt"
    tiny_tokenizer("byte_bpe").save_pretrained(source)
    text.write_text(SAMPLE["target"])
    known = tmp_path / "known.txt"
    known.write_text(SAMPLE["source"])
    given = ["tokenizer", "extend", "--source", source, "--corpus", text, "--add", 20, "--out", out]
    done = lexigraft(*given, "--source-text", known, "--json")
    assert done.code == 0, done
    assert (done.json["method"], done.json["added"], done.json["tokens"]) == ("continued_bpe", 20, 450)
    assert done.json["corpus_tokens"] < done.json["corpus_tokens_before"]
    assert 0 <= done.json["source_text_changed"] < 1
    assert len(AutoTokenizer.from_pretrained(out)) == 450
    assert "exists" in lexigraft(*given).err


def test_extend_takes_the_method_that_fits_and_exchange_keeps_the_size(tmp_path: Path) -> None:
    text, known = tmp_path / "t.txt", tmp_path / "known.txt"
    text.write_text(SAMPLE["target"])
    known.write_text(SAMPLE["source"])
    pieces, merges = tmp_path / "unigram", tmp_path / "byte_bpe"
    tiny_tokenizer("unigram").save_pretrained(pieces)
    tiny_tokenizer("byte_bpe").save_pretrained(merges)
    base = ["tokenizer", "extend", "--corpus", text, "--source-text", known, "--add", 9, "--json"]
    extended = lexigraft(*base, "--source", pieces, "--out", tmp_path / "a").json
    assert (extended["method"], extended["added"], extended["removed"]) == ("unigram_em", 9, 0)
    exchanged = lexigraft(*base, "--source", merges, "--method", "exchange", "--out", tmp_path / "b").json
    assert (exchanged["tokens"], exchanged["added"], exchanged["removed"]) == (430, 9, 9)
    assert exchanged["corpus_tokens"] < exchanged["corpus_tokens_before"]


def test_extend_refuses_with_nothing_written(files: Files, tmp_path: Path) -> None:
    source, out = tmp_path / "source", tmp_path / "out"
    tiny_tokenizer("unigram").save_pretrained(source)
    base = ["tokenizer", "extend", "--source", source, "--corpus", files.text, "--out", out, "--add"]
    for message, more in {
        "merges can go on only where there are some": [5, "--method", "continued_bpe"],
        "Did you mean 'continued_bpe'?": [5, "--method", "continue_bpe"],
    }.items():
        done = lexigraft(*base, *more)
        assert done.code == 2
        assert message in done.err
    assert not out.exists()


def test_prune_writes_a_smaller_tokenizer(tmp_path: Path) -> None:
    source, text = tmp_path / "source", tmp_path / "t.txt"
    tiny_tokenizer("unigram").save_pretrained(source)
    text.write_text(SAMPLE["source"])
    base = ["tokenizer", "prune", "--source", source, "--corpus", text, "--json"]
    unused = lexigraft(*base, "--drop-unused", "--out", tmp_path / "a")
    assert unused.code == 0, unused
    assert unused.json["tokens"] + unused.json["dropped"] == 430
    assert unused.json["corpus_tokens"] == unused.json["corpus_tokens_before"]
    fewer = lexigraft(*base, "--keep", unused.json["tokens"] - 9, "--out", tmp_path / "b")
    assert fewer.code == 0, fewer
    assert len(AutoTokenizer.from_pretrained(tmp_path / "b")) == unused.json["tokens"] - 9
    assert fewer.json["corpus_tokens"] > fewer.json["corpus_tokens_before"]


def test_prune_refuses_with_nothing_written(tmp_path: Path) -> None:
    source, text, out = tmp_path / "source", tmp_path / "t.txt", tmp_path / "out"
    tiny_tokenizer("byte_bpe").save_pretrained(source)
    text.write_text(SAMPLE["source"])
    base = ["tokenizer", "prune", "--source", source, "--corpus", text, "--out", out]
    for message, more in {
        "either --keep or --drop-unused: neither": [],
        "either --keep or --drop-unused: both": ["--keep", 300, "--drop-unused"],
        "fewer tokens than must stay": ["--keep", 100],
    }.items():
        done = lexigraft(*base, *more)
        assert done.code == 2
        assert message in done.err
    assert not out.exists()


def test_train_like_another_tokenizer_on_two_corpora(files: Files, tmp_path: Path) -> None:
    source, other, out = tmp_path / "source", tmp_path / "other.txt", tmp_path / "out"
    tiny_tokenizer("byte_bpe").save_pretrained(source)
    other.write_text("wasi wasikuna\n")
    base = ["tokenizer", "train", "--corpus", files.text, "--like", source, "--size", 400, "--json"]
    done = lexigraft(*base, "--corpus", other, "--temperature", 1e6, "--out", out)
    assert done.code == 0, done
    assert (done.json["type"], done.json["tokens"]) == ("byte_bpe", 400)
    assert list(done.json["shares"].values()) == [pytest.approx(0.5, abs=0.01)] * 2
    assert AutoTokenizer.from_pretrained(out).mask_token == "<mask>"
    for message, more in {
        "several corpora": ["--temperature", 2],
        "--like takes this": ["--lowercase"],
        "byte_bpe": ["--type", "unigram"],
        "Input should be greater": ["--size", 20],
    }.items():
        refused = lexigraft(*base, *more, "--out", tmp_path / "none")
        assert refused.code == 2
        assert message in refused.out
    assert not (tmp_path / "none").exists()


def test_bridge_gives_a_draft_the_targets_vocabulary(files: Files, tmp_path: Path) -> None:
    draft, target = tmp_path / "draft", tmp_path / "target"
    for folder, name in ((draft, "llama-tied"), (target, "llama-untied")):
        model, tokenizer, _ = fixture(name)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    given = ["tokenizer", "bridge", draft, "--like", target, "--text", files.text, "--lines", 4, "--json"]
    done = lexigraft(*given, "--out", tmp_path / "out")
    assert done.code == 0, done
    tokens = len(AutoTokenizer.from_pretrained(target))
    assert (done.json["tokens"], done.json["draft_rows"], done.json["target_rows"]) == (tokens, tokens, tokens)
    assert done.json["matched"] + done.json["new"] == tokens
    assert 0 <= done.json["greedy"] < done.json["sampling"] <= 1
    refused = lexigraft("tokenizer", "bridge", files.source, *given[3:], "--out", tmp_path / "none")
    assert refused.code == 2
    assert "masked" in refused.out
    assert not (tmp_path / "none").exists()


def test_sizes_are_swept_and_probed(files: Files, tmp_path: Path) -> None:
    text = tmp_path / "t.txt"
    text.write_text("\n".join(f"{line} {n}" for n in range(3) for line in SAMPLE["target"].splitlines()))
    base = ["tokenizer", "sizes", "--corpus", text, "--sizes", "40,20", "--json"]
    plain = lexigraft(*base, "--source", files.source)
    assert plain.code == 0, plain
    assert [one["added"] for one in plain.json["sizes"]] == [0, 20, 40]
    lengths = [one["length"] for one in plain.json["sizes"]]
    assert lengths[0] == 1
    assert lengths == sorted(lengths, reverse=True)
    assert plain.json["sizes"][1]["parameters"] is None
    probed = lexigraft(*base, "--model", files.source, "--steps", 1, "--seeds", 2)
    assert probed.code == 0, probed
    measured = probed.json["sizes"]
    # The model is tied and 32 wide.
    assert [one["parameters"] for one in measured] == [0, 640, 1280]
    assert [one["length"] for one in measured] == lengths
    best = min(measured, key=lambda one: one["bits_per_byte"])
    assert best["above_best"] is None
    assert all(one["above_best"] > 0 and one["p"] <= 1 for one in measured if one is not best)
    assert f"best after 1 steps: {best['added']} tokens added" in probed.json["notes"][0]


def test_sizes_refuse_with_one_error(files: Files) -> None:
    base = ["tokenizer", "sizes", "--corpus", files.text, "--sizes"]
    for message, more in {
        "numbers between commas": ["5,many", "--source", files.source],
        "not positive": ["0", "--source", files.source],
        "either --source or --model: neither": ["5"],
        "dictionary": ["5", "--model", files.source, "--strategy", "wechsel"],
    }.items():
        done = lexigraft(*base, *more)
        assert done.code == 2
        assert message in done.err
