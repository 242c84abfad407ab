"""Cells: stored whole, never repeated, never mixed, resumable after Ctrl-C, kill -9 and a dying worker."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from fixtures.cells import cells, dying, faulty, noted, result_of, slow
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.cells.cell import Cell, CellResult, Comparison, Score
from lexigraft.core.evaluation.cells.cell_store import (
    cell_folder,
    load_comparison,
    load_failure,
    load_result,
    load_results,
    locked,
)
from lexigraft.core.evaluation.cells.runner import run_cells


def ran(diary: Path) -> list[str]:
    return [line.split()[0] for line in diary.read_text().splitlines()] if diary.exists() else []


def contents(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in folder.glob("cells/*/result.json")}


def test_a_result_survives_json() -> None:
    result = dataclasses.replace(result_of(cells()[0]), notes=("fallback 12%",))
    assert CellResult.from_json(json.loads(json.dumps(result.as_json()))) == result


def test_value_takes_the_last_step_unless_told() -> None:
    result = CellResult(cells()[0], (Score(50, "m/x", 2.0), Score(0, "m/x", 3.0)))
    assert (result.value("m/x"), result.value("m/x", 0), result.value("m/x", 7), result.value("other")) == (
        2.0,
        3.0,
        None,
        None,
    )


def test_seeds_run_outermost_and_results_keep_the_given_order(tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    results = run_cells(cells(), partial(noted, diary=diary), tmp_path / "out")
    assert ran(diary) == ["a0", "b0", "c0", "a1", "b1", "c1"]
    assert [r.cell for r in results] == cells()


def test_finished_cells_are_not_run_again_but_are_reported(tmp_path: Path) -> None:
    diary, seen, messages = tmp_path / "diary", [], []
    first = run_cells(cells("ab"), partial(noted, diary=diary), tmp_path / "out")
    second = run_cells(
        cells("abc"),
        partial(noted, diary=diary),
        tmp_path / "out",
        on_done=seen.append,
        progress=lambda *m: messages.append(m),
    )
    assert ran(diary) == ["a0", "b0", "a1", "b1", "c0", "c1"]
    assert second[:4] == first
    assert sorted(r.cell.key for r in seen) == sorted(c.key for c in cells("abc"))
    assert messages == [("4 finished before", 4, 6), ("c (seed 0) done", 5, 6), ("c (seed 1) done", 6, 6)]


def test_a_changed_key_runs_again_and_old_results_never_mix_in(tmp_path: Path) -> None:
    diary, out = tmp_path / "diary", tmp_path / "out"
    old = run_cells(cells(), partial(noted, diary=diary), out)
    new = cells(version="v2")
    listed = Comparison("c", tuple(new))
    assert load_results(out, listed) == []
    run_cells(new, partial(noted, diary=diary), out)
    assert len(ran(diary)) == 12
    assert {r.cell.key for r in load_results(out, listed)} == {c.key for c in new}
    swapped = cell_folder(out, new[0]) / "result.json"
    swapped.write_text(json.dumps(old[0].as_json()))
    assert load_result(out, new[0]) is None


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff", b"null", b"[]", b'{"cell": 3}', b"[" * 100_000, b'{"cell": {"label": "a"}}', b"9" * 5000],
)
def test_a_damaged_result_runs_again_and_is_named_once(tmp_path: Path, content: bytes) -> None:
    diary, out = tmp_path / "diary", tmp_path / "out"
    first = run_cells(cells("ab"), partial(noted, diary=diary), out)
    (cell_folder(out, cells("ab")[0]) / "result.json").write_bytes(content)
    messages: list[str] = []
    again = run_cells(cells("ab"), partial(noted, diary=diary), out, progress=lambda said, *_: messages.append(said))
    assert again == first
    assert ran(diary) == ["a0", "b0", "a1", "b1", "a0"]
    assert messages == ["damaged results, run again: a (seed 0)", "3 finished before", "a (seed 0) done"]


def test_a_failing_cell_leaves_the_others_and_is_listed(tmp_path: Path) -> None:
    diary, out = tmp_path / "diary", tmp_path / "out"
    with pytest.raises(LexigraftError, match=r"3 of 6 cells failed: b \(seed 0\): no vectors: b.bin") as caught:
        run_cells(cells(), partial(faulty, diary=diary), out)
    assert "c (seed 1): ZeroDivisionError: oops" in str(caught.value)
    assert ran(diary) == ["a0", "c0", "a1"]
    assert "Traceback" in (load_failure(out, cells()[-1]) or "")
    assert "Traceback" not in (load_failure(out, cells()[2]) or "")
    run_cells(cells(), partial(noted, diary=diary), out)
    assert ran(diary)[3:] == ["b0", "b1", "c1"]
    assert load_failure(out, cells()[2]) is None


def test_a_result_for_another_cell_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LexigraftError, match="got the result of a"):
        run_cells(cells("ab", (0,)), lambda cell: result_of(cells("a")[0]), tmp_path)


def test_a_label_with_slashes_stays_inside_the_folder(tmp_path: Path) -> None:
    odd = [Cell("../../x y[k=3]", 0, "source", "k" * 64), Cell("../../x y(k=3)", 0, "source", "q" * 64)]
    run_cells(odd, result_of, tmp_path / "out")
    assert len(list((tmp_path / "out" / "cells").iterdir())) == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out"]


def test_a_damaged_result_counts_as_unfinished(tmp_path: Path) -> None:
    run_cells(cells("a"), result_of, tmp_path)
    damaged = cell_folder(tmp_path, cells("a")[0]) / "result.json"
    damaged.write_text(damaged.read_text()[:50])
    diary = tmp_path / "diary"
    run_cells(cells("a"), partial(noted, diary=diary), tmp_path)
    assert ran(diary) == ["a0"]


def test_two_comparisons_never_write_one_folder(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(LexigraftError, match="another comparison is writing"):
        run_cells(cells(), result_of, tmp_path)
    run_cells(cells(), result_of, tmp_path)


def test_the_list_of_cells_is_written_before_the_first_cell(tmp_path: Path) -> None:
    comparison = Comparison("qu", tuple(cells()), "a", {"versions": {"torch": "2"}, "corpus_lines": 7})

    def look(cell: Cell) -> CellResult:
        assert load_comparison(tmp_path) == comparison
        assert (tmp_path / "recipe.yaml").read_text() == "name: qu\n"
        return result_of(cell)

    run_cells(cells(), look, tmp_path, comparison=comparison, recipe="name: qu\n")
    assert (comparison.labels, comparison.seeds) == (("a", "b", "c"), (0, 1))


def test_no_comparison_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(LexigraftError, match="no comparison in this folder"):
        load_comparison(tmp_path / "absent")
    (tmp_path / "comparison.json").write_text("{")
    with pytest.raises(LexigraftError, match="damaged"):
        load_comparison(tmp_path)


def test_a_full_disk_leaves_no_half_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(LexigraftError, match="No space left"):
            run_cells(cells("a"), result_of, tmp_path)
    assert [p.name for p in tmp_path.glob("cells/*/*")] == []
    assert len(run_cells(cells("a"), result_of, tmp_path)) == 2


@pytest.mark.slow
def test_two_jobs_give_the_same_files_as_one(tmp_path: Path) -> None:
    one, two, diary = tmp_path / "one", tmp_path / "two", tmp_path / "diary"
    results = run_cells(cells(), result_of, one)
    assert run_cells(cells(), partial(slow, diary=diary), two, jobs=2) == results
    assert contents(one) == contents(two)
    workers = {tuple(line.split()[1:]) for line in diary.read_text().splitlines()}
    assert len({pid for pid, _ in workers}) == 2
    assert {threads for _, threads in workers} == {str(max(1, (os.cpu_count() or 1) // 2))}
    assert os.getpid() not in {int(pid) for pid, _ in workers}


@pytest.mark.slow
def test_a_dying_worker_is_found_out_and_the_others_finish(tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    with pytest.raises(LexigraftError, match=r"1 of 6 cells failed: b \(seed 0\): the worker process died"):
        run_cells(cells(), partial(dying, diary=diary), tmp_path / "out", jobs=2)
    assert sorted(set(ran(diary))) == ["a0", "a1", "b1", "c0", "c1"]
    assert len(contents(tmp_path / "out")) == 5


def start(out: Path, diary: Path, jobs: int) -> subprocess.Popen[bytes]:
    code = (
        "from functools import partial; from pathlib import Path; from fixtures import cells as t\n"
        "from lexigraft.core.evaluation.cells.runner import run_cells\n"
        "if __name__ == '__main__':\n"
        f"    run_cells(t.cells(), partial(t.slow, diary=Path({str(diary)!r})), Path({str(out)!r}), jobs={jobs})\n"
    )
    script = out.parent / f"script{jobs}.py"
    script.write_text(code)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    # A shell's background jobs ignore SIGINT, and so would what they start.
    return subprocess.Popen(
        [sys.executable, str(script)],
        env=environment,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def wait_for(count: int, out: Path) -> None:
    deadline = time.monotonic() + 60
    while len(contents(out)) < count:
        assert time.monotonic() < deadline, "cells did not finish in time"
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_run_goes_on_where_it_was(tmp_path: Path, jobs: int, how: signal.Signals) -> None:
    out, diary = tmp_path / "out", tmp_path / "diary"
    with start(out, diary, jobs) as process:
        try:
            wait_for(2, out)
        finally:
            process.send_signal(how)
        assert process.wait(timeout=30) != 0
        # Workers share their parent's standard error: it ends when the last of them has.
        process.communicate(timeout=30)
    finished, attempts = contents(out), len(ran(diary))
    assert 2 <= len(finished) < 6, "a worker outlived its parent"
    run_cells(cells(), partial(noted, diary=diary), out)
    assert len(ran(diary)) - attempts == 6 - len(finished)
    uninterrupted = tmp_path / "uninterrupted"
    run_cells(cells(), result_of, uninterrupted)
    assert contents(out) == contents(uninterrupted)
    assert [p.name for p in out.rglob(".*")] == [".lock"]
