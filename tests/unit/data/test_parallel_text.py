"""Parallel text: lines stay beside each other, unusable pairs go as pairs, sides of different length are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from lexigraft.core.config.recipe import ParallelSettings
from lexigraft.core.data.parallel_text import load_parallel
from lexigraft.core.errors import LexigraftError


def written(folder: Path, source: list[str], target: list[str]) -> ParallelSettings:
    for name, lines in (("source", source), ("target", target)):
        (folder / f"{name}.txt").write_text("\n".join(lines), encoding="utf-8")
    return ParallelSettings(source=[str(folder / "source.txt")], target=[str(folder / "target.txt")])


def test_a_pair_goes_as_a_pair(tmp_path: Path) -> None:
    found = load_parallel(
        written(tmp_path, ["sun", "", "moon", "sun", "sun"], ["inti", "x", " killa ", "inti", "rupay"])
    )
    assert list(zip(found.source, found.target, strict=True)) == [("sun", "inti"), ("moon", "killa"), ("sun", "rupay")]
    assert found.dropped == 2


def test_held_out_lines_are_never_read_with_their_translations(tmp_path: Path) -> None:
    found = load_parallel(written(tmp_path, ["a", "b", "c"], ["x", "y", "z"]), unseen=["y", "c"])
    assert list(zip(found.source, found.target, strict=True)) == [("a", "x")]


@pytest.mark.parametrize("short", ["source", "target"])
def test_sides_of_different_length_are_refused(tmp_path: Path, short: str) -> None:
    settings = written(tmp_path, ["a", "b"], ["c", "d"])
    (tmp_path / f"{short}.txt").write_text("only", encoding="utf-8")
    with pytest.raises(LexigraftError, match="different length") as refusal:
        load_parallel(settings)
    assert "after line 1" in str(refusal.value)


def test_the_limit_stops_both_sides(tmp_path: Path) -> None:
    settings = written(tmp_path, ["a", "b", "c"], ["x", "y", "z"]).model_copy(update={"limit_lines": 2})
    assert load_parallel(settings).target == ("x", "y")


def test_the_hash_follows_content_and_pairing(tmp_path: Path) -> None:
    first = load_parallel(written(tmp_path, ["a", "b"], ["x", "y"])).hash
    assert load_parallel(written(tmp_path, ["a", "b"], ["y", "x"])).hash != first
    assert load_parallel(written(tmp_path, ["a", "b"], ["x", "y"])).hash == first


def test_nothing_usable_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LexigraftError, match="no usable pair"):
        load_parallel(written(tmp_path, ["", "a"], ["x", " "]))
