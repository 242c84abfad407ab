"""`lexigraft augmenters`, and `adapt --augment`, as a user calls them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fixtures.annotated import documents
from fixtures.commands import lexigraft
from lexigraft.core.data.annotated_text import write_annotated
from lexigraft.testing.tiny_models import fixture


def test_list_show_and_check() -> None:
    listed = lexigraft("augmenters", "list", "--json").json
    assert {"name": "leia", "edits_at": "anchors"}.items() <= next(o for o in listed if o["name"] == "leia").items()
    assert "change text at anchors" in lexigraft("augmenters", "list").out
    shown = lexigraft("augmenters", "show", "leia")
    assert "tag_rows" in shown.out
    assert "Yamada and Ri 2024" in shown.out
    checked = lexigraft("augmenters", "check", "leia", "--json")
    assert (checked.code, checked.json["failed"]) == (0, [])
    wrong = lexigraft("augmenters", "show", "lea")
    assert wrong.code == 2
    assert "leia" in wrong.err


def test_a_broken_augmenter_is_listed_as_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "augmenters").mkdir()
    (tmp_path / "augmenters" / "bad.py").write_text("raise ValueError('no')")
    monkeypatch.setenv("LEXIGRAFT_PLUGINS", str(tmp_path))
    assert "BROKEN: ValueError: no" in lexigraft("augmenters", "list").out
    assert lexigraft("augmenters", "check", "bad").code == 1


def test_adapt_takes_augmenters_with_options(tmp_path: Path) -> None:
    model, tokenizer, _ = fixture("llama-untied")
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    write_annotated(tmp_path / "text.jsonl", documents())
    command = [
        "adapt", str(tmp_path / "model"), "--corpus", str(tmp_path / "text.jsonl"), "--out", str(tmp_path / "out"),
        "--augment", "leia:p=1.0,side=left", "--steps", "1", "--batch-tokens", "64", "--sequence-length", "32",
    ]  # fmt: skip
    done = lexigraft(*command, "--json")
    assert done.code == 0, done
    record = json.loads((tmp_path / "out" / "lexigraft.json").read_text())
    assert record["settings"]["augment"] == [{"leia": {"p": 1.0, "side": "left"}}]
    for wrong, said in (("leia:side", "--augment needs key=value"), ("leia:side=up", "side"), ("lea", "leia")):
        refused = lexigraft(*command, "--augment", wrong, "--force")
        assert refused.code == 2
        assert said in refused.err


def test_a_dictionary_that_matches_nothing_is_refused_before_weights_load(tmp_path: Path) -> None:
    model, tokenizer, _ = fixture("llama-untied")
    model.config.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    (tmp_path / "text.txt").write_text("The river runs.\n")
    (tmp_path / "words.tsv").write_text("mayu\triver\n")
    refused = lexigraft(
        "adapt", str(tmp_path / "model"), "--corpus", str(tmp_path / "text.txt"), "--out", str(tmp_path / "out"),
        "--augment", f"code_switch:file={tmp_path}/words.tsv",
    )  # fmt: skip
    assert refused.code == 2
    assert "'mayu'" in refused.err
    assert "The river runs." in refused.err
    assert not (tmp_path / "out").exists()
