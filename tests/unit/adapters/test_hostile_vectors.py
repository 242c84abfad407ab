"""Vector files that announce what they do not hold, or hold what is no vector: one error, before any large memory."""

from __future__ import annotations

import contextlib
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lexigraft.adapters.vectors.files import read_npz, read_vectors
from lexigraft.core.errors import LexigraftError

GOOD: dict[str, Any] = {"tokens": np.array(["a", "b"]), "vectors": np.ones((2, 3), np.float32)}


def header_only(shape: tuple[int, ...], dtype: str = "<f4") -> bytes:
    """An array that announces a shape and holds 12 bytes."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})
    return file.getvalue() + b"\0" * 12


def npz(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


@pytest.mark.parametrize("shape", [(10**12, 300), (2, 10**12), (2**40, 2**40), (10, 3)])
@pytest.mark.parametrize("array", ["tokens", "vectors"])
def test_a_header_that_announces_more_than_the_file_holds_is_refused(
    array: str, shape: tuple[int, ...], tmp_path: Path
) -> None:
    small = {"tokens": header_only((3,), "<U1"), "vectors": header_only((3, 1))}
    path = npz(tmp_path / "v.npz", **(small | {array: header_only(shape, "<U1" if array == "tokens" else "<f4")}))
    with pytest.raises(LexigraftError, match=r"cannot be read.*announces"):
        read_npz(path)


@pytest.mark.parametrize(
    "changed",
    [
        {"vectors": np.ones((2, 3), np.complex64)},
        {"vectors": np.array([["1", "2"], ["3", "4"]])},
        {"vectors": np.ones((2, 3), "datetime64[s]")},
        {"vectors": np.full((2, 3), 1e300)},
        {"vectors": np.ones(2, np.float32)},
        {"vectors": np.ones((2, 3, 1), np.float32)},
        {"vectors": np.float32(1)},
        {"tokens": np.array([1, 2])},
        {"tokens": np.array("ab")},
        {"tokens": np.array([["a"], ["b"]])},
        {"tokens": np.array(["a", "b"], object)},
        {"counts": np.array([0.5, 1])},
        {"counts": np.array([1, -1])},
        {"counts": np.array([1])},
    ],
)
def test_arrays_of_another_kind_or_shape_are_refused(changed: dict[str, Any], tmp_path: Path) -> None:
    np.savez(tmp_path / "v.npz", **(GOOD | changed))
    with pytest.raises(LexigraftError, match=r"v\.npz"):
        read_npz(tmp_path / "v.npz")


@pytest.mark.parametrize(
    "header",
    [
        f"2 {10**12}",
        f"2 {2**70}",
        "2 " + "9" * 5000,
        "9" * 5000 + " 2",
        f"{10**12} 2",
        "2 -1",
        "2 0",
        "inf 2",
        "2",
        "٢ ٢",
    ],
)
def test_a_text_file_whose_header_lies_is_refused(header: str, tmp_path: Path) -> None:
    (tmp_path / "v.vec").write_text(f"{header}\na 1 2\nb 3 4\n", encoding="utf-8")
    with pytest.raises(LexigraftError, match=r"v\.vec"):
        read_vectors(tmp_path / "v.vec", ["a", "b"], subwords=False)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_to_a_file_is_vectors_or_one_error(data: st.DataObject, tmp_path: Path) -> None:
    np.savez(tmp_path / "v.npz", **GOOD)
    content = bytearray((tmp_path / "v.npz").read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    (tmp_path / "v.npz").write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with contextlib.suppress(LexigraftError):
        read_vectors(tmp_path / "v.npz", ["a"], subwords=False)
