"""Damaged checkpoints that fuzzing found: one clear error, whatever their headers and indexes say."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.checkpoint import open_checkpoint, read_index, weight_files


def test_a_shard_whose_name_is_too_long_for_a_file_is_missing(tmp_path: Path) -> None:
    index = {"weight_map": {"a": "m" * 300 + ".safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(LexigraftError, match="shards are missing"):
        weight_files(tmp_path, read_index(tmp_path))


@pytest.mark.parametrize("length", [2**63, -1])
def test_a_shape_that_no_tensor_can_have_is_damage(tmp_path: Path, length: int) -> None:
    header = json.dumps({"a": {"dtype": "F32", "shape": [0, length], "data_offsets": [0, 0]}}).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(LexigraftError, match="damaged"):
        open_checkpoint(tmp_path)
