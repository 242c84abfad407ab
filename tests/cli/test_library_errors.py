"""Errors of other libraries over a user's file are one message; faults of our own keep their traceback."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from safetensors import safe_open
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoTokenizer

from lexigraft.cli.exit_codes import guarded


def damaged(folder: Path, name: str) -> Path:
    path = folder / name
    path.write_bytes(b"\x00\x01 nothing that any library reads \xff" * 20)
    return path


def stale(folder: Path) -> Path:
    (folder / "tokenizer.json").write_text('{"version": "1.0"}')
    (folder / "config.json").write_text('{"model_type": "bert", "hidden_size": "wide"}')
    return folder


LIBRARY: dict[str, Callable[[Path], Any]] = {
    "safetensors": lambda p: safe_open(damaged(p, "m.safetensors"), "pt"),
    "tokenizers": lambda p: Tokenizer.from_file(str(damaged(p, "tokenizer.json"))),
    "transformers": lambda p: AutoTokenizer.from_pretrained(stale(p)),
    "configuration": lambda p: AutoConfig.from_pretrained(damaged(p, "config.json").parent),
    "parquet": lambda p: pq.read_table(damaged(p, "t.parquet")),
    "yaml": lambda p: yaml.safe_load("a: [1"),
    "json": lambda p: json.loads("{"),
    "deep json": lambda p: json.loads("[" * 100_000),
    "zip": lambda p: zipfile.ZipFile(damaged(p, "v.npz")),
    "gzip": lambda p: gzip.decompress(damaged(p, "t.gz").read_bytes()),
    "missing file": lambda p: (p / "gone").read_text(),
    "folder for a file": lambda p: p.read_text(),
    "memory": lambda p: np.empty(2**55, np.uint8),
}


@pytest.mark.parametrize("cause", LIBRARY)
def test_an_error_of_another_library_is_one_message(
    cause: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert guarded(lambda: LIBRARY[cause](tmp_path), as_json=False) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n"), said.err[:7]) == ("", 1, "error: ")
    assert guarded(lambda: LIBRARY[cause](tmp_path), as_json=True) == 2
    assert set(json.loads(capsys.readouterr().out)) == {"error", "value", "hint"}


OURS: dict[str, Callable[[], Any]] = {
    "key": lambda: {}["gone"],
    "type": lambda: len(3),  # type: ignore[arg-type]
    "shape": lambda: torch.ones(2) @ torch.ones(3),
    "arrays": lambda: np.zeros(2) + np.zeros(3),
}


@pytest.mark.parametrize("fault", OURS)
def test_a_fault_of_our_own_keeps_its_traceback(fault: str) -> None:
    with pytest.raises((KeyError, TypeError, RuntimeError, ValueError)):
        guarded(OURS[fault], as_json=False)


def test_a_reader_that_closes_early_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lexigraft.cli.exit_codes.os.dup2", lambda *_: 0)

    def closed() -> None:
        raise BrokenPipeError(32, "Broken pipe")

    assert guarded(closed, as_json=True) == 0
