"""`lexigraft align` as a user runs it: what it prints and writes, and one line for each mistake."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fixtures.commands import lexigraft
from lexigraft.adapters.vectors.vec_writer import write_vec


@pytest.fixture(scope="module")
def spaces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``s.vec``, the same vectors turned by 90 degrees as ``t.vec``, and ``d.tsv``."""
    folder = tmp_path_factory.mktemp("spaces")
    vectors = np.random.default_rng(1).normal(size=(60, 2)).astype(np.float32)
    write_vec(folder / "s.vec", [f"s{n}" for n in range(60)], vectors)
    write_vec(folder / "t.vec", [f"t{n}" for n in range(60)], vectors[:, ::-1] * np.float32([-1, 1]))
    (folder / "d.tsv").write_text("".join(f"s{n}\tt{n}\n" for n in range(60)) + "no tab\n")
    return folder


def test_figures_notes_and_the_file(spaces: Path, tmp_path: Path) -> None:
    out = tmp_path / "mapped.vec"
    command = ["align", spaces / "s.vec", spaces / "t.vec", "--dictionary", spaces / "d.tsv", "--out", out]
    done = lexigraft(*command)
    assert done.code == 0, done
    figures = dict(line.split() for line in done.out.splitlines())
    assert figures["precision_at_1_cosine"] == "1.0000"
    assert figures["coverage"] == "1.0000"
    assert done.err == "1 lines of the dictionary are not two columns and are left out.\n"
    assert out.read_text().startswith("60 2\ns0 ")
    again = lexigraft(*command, "--force", "--method", "rcsls", "--json")
    assert again.code == 0, again
    assert again.json["method"] == "rcsls"
    assert again.json["out"] == str(out)
    assert again.json["figures"]["candidates"] == 60


def test_mistakes_are_one_message(spaces: Path, tmp_path: Path) -> None:
    files = ["align", spaces / "s.vec", spaces / "t.vec"]
    out = tmp_path / "mapped.vec"
    for arguments, message in (
        (["--dictionary", spaces / "d.tsv", "--reverse", "--out", out], "--reverse turns it around"),
        (["--dictionary", tmp_path / "none.tsv", "--out", out], "dictionary not found"),
        (["--dictionary", spaces / "d.tsv", "--method", "x"], "unknown alignment method: x"),
    ):
        done = lexigraft(*files, *arguments)
        assert (done.code, done.err.count("\n")) == (2, 1)
        assert message in done.err
    assert not out.exists()
