"""Checkpoints by their headers: what lies where, and every way in which files may not be what they say."""

from __future__ import annotations

import errno
import json
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.checkpoint import INDEX, WEIGHTS, open_checkpoint
from lexigraft.core.models.checkpoint_rewrite import rewritten
from lexigraft.core.models.streaming import (
    BLOCK,
    REQUEST_BYTES,
    Copied,
    InlineBytes,
    Values,
    holds,
    is_made_of,
    read_tensor,
    write_pieces,
)

TENSORS = {
    "table": torch.randn(7, 3).to(torch.bfloat16),
    "norm": torch.randn(5),
    "ids": torch.arange(4),
    "scalar": torch.tensor(2.0),
    "flags": torch.tensor([True, False]),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_file(TENSORS, tmp_path / WEIGHTS, {"format": "pt"})
    return tmp_path


def sharded(folder: Path, **index: object) -> Path:
    (folder / WEIGHTS).rename(folder / "a.safetensors")
    content = {"weight_map": dict.fromkeys(TENSORS, "a.safetensors")} | index
    (folder / INDEX).write_text(json.dumps(content))
    return folder


def test_tensors_are_found_and_read_as_safetensors_reads_them(folder: Path) -> None:
    found = open_checkpoint(folder)
    assert set(found.tensors) == set(TENSORS)
    for name in ("table", "norm", "scalar"):
        again = read_tensor(found.tensors[name])
        assert again.dtype == TENSORS[name].dtype
        assert torch.equal(again, TENSORS[name])
    assert torch.equal(read_tensor(found.tensors["table"], torch.float32), TENSORS["table"].float())
    with pytest.raises(LexigraftError, match="plain numbers: I64"):
        read_tensor(found.tensors["ids"])


def test_a_tensor_longer_than_a_block_is_read_and_written_whole(tmp_path: Path) -> None:
    long = torch.randn(BLOCK // 4 + 1001, 3).to(torch.bfloat16)
    save_file({"long": long}, tmp_path / WEIGHTS)
    shard = open_checkpoint(tmp_path).shards[0]
    assert torch.equal(read_tensor(shard.tensors[0]), long)
    longer = torch.cat([long, long[:5]]).float()
    pieces = rewritten(shard, {"long": longer})
    write_pieces(tmp_path / "new.safetensors", pieces)
    assert torch.equal(load_file(tmp_path / "new.safetensors")["long"], longer.to(torch.bfloat16))
    assert is_made_of(tmp_path / "new.safetensors", pieces)


@pytest.mark.parametrize("rows", [1, 7, 8, 9])
def test_a_replaced_table_leaves_every_other_tensor_as_it_was(folder: Path, rows: int) -> None:
    shard = open_checkpoint(folder).shards[0]
    write_pieces(folder / "new.safetensors", rewritten(shard, {"table": torch.ones(rows, 3)}))
    again = load_file(folder / "new.safetensors")
    assert torch.equal(again.pop("table"), torch.ones(rows, 3, dtype=torch.bfloat16))
    assert all(torch.equal(again[name], TENSORS[name]) for name in again)
    assert len(again) == len(TENSORS) - 1
    header = json.loads((folder / "new.safetensors").read_bytes()[8:].split(b"}}", 1)[0] + b"}}")
    assert header["__metadata__"] == {"format": "pt"}
    assert all(header[name]["data_offsets"][0] % TENSORS[name].element_size() == 0 for name in TENSORS)


def test_a_file_without_a_replaced_tensor_is_the_same_file(folder: Path) -> None:
    pieces = rewritten(open_checkpoint(folder).shards[0], {"elsewhere": torch.ones(2, 2)})
    write_pieces(folder / "new", pieces)
    assert (folder / "new").read_bytes() == (folder / WEIGHTS).read_bytes()


def test_pieces_are_compared_byte_for_byte(tmp_path: Path) -> None:
    path, other = tmp_path / "file", tmp_path / "other"
    other.write_bytes(b"0123456789")
    pieces = [InlineBytes(b"ab"), Copied(other, 2, 5), Values(torch.tensor([1.0]), "F32")]
    write_pieces(path, pieces)
    content = b"ab23456" + struct.pack("<f", 1.0)
    assert path.read_bytes() == content
    assert is_made_of(path, pieces)
    assert holds(path, 2, pieces[1:2])
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert not is_made_of(path, pieces)
    for wrong in (content + b"x", content[:-1], b""):
        path.write_bytes(wrong)
        assert not is_made_of(path, pieces)
    assert not is_made_of(tmp_path / "absent", pieces)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "other"]


def test_a_file_that_ends_while_it_is_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(b"123")
    with pytest.raises(LexigraftError, match="cut short while it was read"):
        list(Copied(tmp_path / "short", 1, 9).blocks())

    with pytest.raises(LexigraftError, match="cut short while it was read"):
        write_pieces(tmp_path / "new", [Copied(tmp_path / "short", 1, 9)])


@pytest.mark.parametrize("cached", [True, False])
def test_long_stretches_are_copied_as_they_are(tmp_path: Path, cached: bool) -> None:
    content = np.random.default_rng(0).bytes(2 * REQUEST_BYTES + 12_345)
    (tmp_path / "source").write_bytes(content)
    pieces = [InlineBytes(b"abc"), Copied(tmp_path / "source", 7, len(content) - 9), InlineBytes(b"xyz")]
    write_pieces(tmp_path / "new", pieces, cached=cached)
    assert (tmp_path / "new").read_bytes() == b"abc" + content[7:-2] + b"xyz"


def test_a_file_system_that_cannot_copy_is_read_instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object) -> int:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(os, "sendfile", refuses)
    (tmp_path / "source").write_bytes(b"0123456789")
    write_pieces(tmp_path / "new", [InlineBytes(b"abc"), Copied(tmp_path / "source", 2, 5)])
    assert (tmp_path / "new").read_bytes() == b"abc23456"


def test_a_full_disk_is_no_reason_to_read_instead(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"0123456789")
    with pytest.raises(OSError, match="No space left"):
        write_pieces(Path("/dev/full"), [Copied(tmp_path / "source", 2, 5)])


def with_header(folder: Path, text: bytes, data: bytes = b"") -> None:
    (folder / WEIGHTS).write_bytes(struct.pack("<Q", len(text)) + text + data)


def gap(folder: Path) -> None:
    entry = {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}
    with_header(folder, json.dumps({"a": entry}).encode(), b"12345678")


def wrong_size(folder: Path) -> None:
    entry = {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}
    with_header(folder, json.dumps({"a": entry}).encode(), b"1234")


def other_length(folder: Path, bytes_more: int) -> None:
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(content + b"x" if bytes_more > 0 else content[:bytes_more])


def bad_index(folder: Path, text: str) -> None:
    sharded(folder)
    (folder / INDEX).write_text(text)


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "nothing": (lambda f: (f / WEIGHTS).unlink(), "no model.safetensors"),
    "pickled": (lambda f: (f / WEIGHTS).rename(f / "pytorch_model.bin"), "pickled"),
    "cut short": (lambda f: other_length(f, -1), "cut short"),
    "cut to nothing": (lambda f: (f / WEIGHTS).write_bytes(b""), "damaged"),
    "cut in the header": (lambda f: (f / WEIGHTS).write_bytes((f / WEIGHTS).read_bytes()[:50]), "damaged"),
    "too long": (lambda f: other_length(f, 1), "too long"),
    "endless header": (lambda f: (f / WEIGHTS).write_bytes(b"\xff" * 16), "a header of"),
    "no JSON": (lambda f: with_header(f, b"not JSON"), "damaged"),
    "a list": (lambda f: with_header(f, b"[1, 2]"), "damaged"),
    "an entry without offsets": (lambda f: with_header(f, b'{"a": {"dtype": "F32", "shape": [1]}}'), "damaged"),
    "a gap": (gap, "a is out of place"),
    "a size that is not the shape's": (wrong_size, "4 bytes for 2 values"),
    "a missing shard": (lambda f: (sharded(f) / "a.safetensors").unlink(), "shards are missing: a.safetensors"),
    "an index that is none": (lambda f: bad_index(f, "{"), "index is damaged"),
    "an index without a map": (lambda f: bad_index(f, '{"metadata": {}}'), "index is damaged"),
    "an index of something else": (lambda f: bad_index(f, '{"weight_map": ["a"]}'), "index is damaged"),
    "a shard outside": (
        lambda f: sharded(f, weight_map={"table": "../a.safetensors"}),
        "names a file that is no shard",
    ),
    "a shard that is none": (
        lambda f: sharded(f, weight_map={"table": "config.json"}),
        "names a file that is no shard",
    ),
    "a tensor that no shard holds": (
        lambda f: sharded(f, weight_map={"table": "a.safetensors", "gone": "a.safetensors"}),
        "no shard holds: gone",
    ),
}


@pytest.mark.parametrize("error", FAULTS)
def test_a_checkpoint_that_is_not_what_it_says_is_refused(error: str, folder: Path) -> None:
    damage, said = FAULTS[error]
    damage(folder)
    with pytest.raises(LexigraftError, match=said):
        open_checkpoint(folder)
