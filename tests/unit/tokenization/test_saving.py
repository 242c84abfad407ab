"""Saved tokenizers: plain AutoTokenizer reads the ids that were meant, beside a model of any type."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.files.saving import PROBES, save_tokenizer
from lexigraft.testing.tiny_tokenizers import tiny_tokenizer

FAMILIES = ["byte_bpe", "unigram", "unigram_byte_fallback", "bpe_byte_fallback", "wordpiece", "unigram_sentinels"]
# The first two make transformers rebuild every tokenizer by their own rules.
BODIES = ["qwen2", "qwen3_5", "llama", "gemma", "bert", "t5", "mbart", None]


def saved(folder: Path, tokenizer: Any, body: str | None) -> dict[str, Any]:
    if body is not None:
        (folder / "config.json").write_text(json.dumps({"model_type": body}))
    save_tokenizer(tokenizer, folder)
    config: dict[str, Any] = json.loads((folder / "tokenizer_config.json").read_text())
    return config


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("body", BODIES)
def test_plain_autotokenizer_gives_the_same_ids_and_text(tmp_path: Path, family: Any, body: str | None) -> None:
    from transformers import AutoTokenizer

    tokenizer = tiny_tokenizer(family)
    config = saved(tmp_path, tokenizer, body)
    # transformers 4 knows this class, and takes a list of special tokens under this key only.
    assert config["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert "extra_special_tokens" not in config
    plain = AutoTokenizer.from_pretrained(tmp_path)
    for text in PROBES:
        assert plain(text)["input_ids"] == tokenizer(text)["input_ids"]
        assert plain.decode(plain(text)["input_ids"]) == tokenizer.decode(tokenizer(text)["input_ids"])
    assert plain.all_special_tokens == tokenizer.all_special_tokens
    assert len(plain) == len(tokenizer)


def test_the_folders_own_class_does_the_same_where_code_may_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import AutoTokenizer, dynamic_module_utils

    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    tokenizer = tiny_tokenizer("unigram")
    (tmp_path / "out").mkdir()
    config = saved(tmp_path / "out", tokenizer, "qwen2")
    assert "auto_map" in config
    trusted = AutoTokenizer.from_pretrained(tmp_path / "out", trust_remote_code=True)
    assert [trusted(text)["input_ids"] for text in PROBES] == [tokenizer(text)["input_ids"] for text in PROBES]


def test_a_tokenizer_that_was_read_offline_is_saved_as_one_that_was_not(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    (tmp_path / "made").mkdir()
    configs = [saved(tmp_path / "made", tiny_tokenizer("unigram"), None)]
    for offline in (True, False):
        folder = tmp_path / f"offline-{offline}"
        folder.mkdir()
        read = AutoTokenizer.from_pretrained(tmp_path / "made", local_files_only=offline)
        configs.append(saved(folder, read, None))
    assert configs[1] == configs[2]
    assert not {"local_files_only", "is_local"} & set(configs[1])


def test_no_code_is_written_where_none_is_needed(tmp_path: Path) -> None:
    config = saved(tmp_path, tiny_tokenizer("unigram"), "llama")
    assert "auto_map" not in config
    assert not list(tmp_path.glob("*.py"))


def test_a_tokenizer_that_is_read_otherwise_whatever_is_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import AutoTokenizer

    other = tiny_tokenizer("unigram", "target")
    monkeypatch.setattr(AutoTokenizer, "from_pretrained", lambda *_, **__: other)
    with pytest.raises(LexigraftError, match="not read as it was meant"):
        save_tokenizer(tiny_tokenizer("unigram"), tmp_path)
