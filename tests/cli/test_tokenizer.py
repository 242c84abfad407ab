"""`lexigraft tokenizer`: figures, tokenizers that are written, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.commands import Files, lexigraft

pytestmark = pytest.mark.slow


def test_report_compares_tokenizers(files: Files, tmp_path: Path) -> None:
    lines = files.text.read_text().splitlines()[:4]
    left, right = tmp_path / "left.txt", tmp_path / "right.txt"
    left.write_text("\n".join(lines))
    right.write_text("\n".join(f"{line} {line}" for line in lines))
    given = ["tokenizer", "report", files.source, files.target, "--corpus", files.text, "--parallel", f"{left},{right}"]
    done = lexigraft(*given, "--json")
    assert done.code == 0, done
    source, target = (done.json["tokenizers"][str(one)] for one in (files.source, files.target))
    assert done.json["lengths"] == {
        str(files.source): 1.0,
        str(files.target): target["tokens"] / source["tokens"],
    }
    assert done.json["parity"][str(files.target)]["premiums"] == [1.0, pytest.approx(2, abs=0.05)]
    shown = lexigraft(*given).out
    assert all(label in shown for label in ("fertility", "Rényi efficiency", "tokens never produced", "Gini"))


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
