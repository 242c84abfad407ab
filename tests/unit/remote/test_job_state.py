"""The state of a job: its own files first, then what the launcher's system says, never a guess where neither tells."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from lexigraft.core.remote.job_files import JobFiles
from lexigraft.core.remote.job_state import MEANINGS, Evidence, JobState, State, decide

STARTED = {"host": "node3", "device": "cpu"}


def ended(**values: Any) -> JobFiles:
    return JobFiles(STARTED, {"exit_code": 0, "host": "node3", "seconds": 12.0, **values})


TERMINATED = ended(exit_code=None, signal="SIGTERM", received="SIGTERM")


@pytest.mark.parametrize(
    ("files", "evidence", "state"),
    [
        (JobFiles(), Evidence(), State.QUEUED),
        (JobFiles(), Evidence(alive=True), State.QUEUED),
        (JobFiles(), Evidence(alive=False), State.LOST),
        (JobFiles(cancelled=True), Evidence(alive=False), State.CANCELLED),
        (JobFiles(), Evidence(False, State.CANCELLED), State.CANCELLED),
        (JobFiles(STARTED), Evidence(alive=True), State.RUNNING),
        (JobFiles(STARTED), Evidence(True, State.QUEUED, "requeued"), State.QUEUED),
        (JobFiles(STARTED), Evidence(alive=False), State.LOST),
        (JobFiles(STARTED), Evidence(False, State.FINISHED), State.LOST),
        (JobFiles(STARTED), Evidence(False, State.TIMED_OUT), State.TIMED_OUT),
        (JobFiles(STARTED), Evidence(False, State.OUT_OF_MEMORY), State.OUT_OF_MEMORY),
        (JobFiles(STARTED, None, False, 15.0, 20.0), Evidence(), State.RUNNING),
        (JobFiles(STARTED, None, False, 15.0, 500.0), Evidence(), State.LOST),
        (JobFiles(STARTED, None, False, 15.0, 500.0), Evidence(alive=True), State.RUNNING),
        (ended(), Evidence(alive=False), State.FINISHED),
        (ended(), Evidence(False, State.TIMED_OUT), State.FINISHED),
        (ended(exit_code=1), Evidence(), State.FAILED),
        (ended(exit_code=None, signal="SIGTERM", received="SIGTERM"), Evidence(), State.PREEMPTED),
        (
            ended(exit_code=None, signal="SIGTERM", received="SIGTERM"),
            Evidence(False, State.TIMED_OUT),
            State.TIMED_OUT,
        ),
        (TERMINATED, Evidence(False, State.LOST), State.LOST),
        (ended(exit_code=None, signal="SIGKILL", out_of_memory=True), Evidence(), State.OUT_OF_MEMORY),
        (ended(exit_code=None, signal="SIGTERM", timed_out=True), Evidence(), State.TIMED_OUT),
    ],
)
def test_files_come_first_and_evidence_fills_in(files: JobFiles, evidence: Evidence, state: State) -> None:
    assert decide(files, evidence).state is state


def test_every_state_has_words_and_a_status_that_mlflow_knows() -> None:
    from mlflow.entities import RunStatus

    assert set(MEANINGS) == set(State)
    for state, meaning in MEANINGS.items():
        assert RunStatus.from_string(meaning.mlflow)
        assert meaning.words
        assert RunStatus.is_terminated(RunStatus.from_string(meaning.mlflow)) == meaning.over == JobState(state).over


def test_a_users_mistake_is_not_tried_again() -> None:
    assert JobState(State.FAILED, exit_code=1).again
    assert not JobState(State.FAILED, exit_code=2).again
    assert not JobState(State.CANCELLED).again


def test_the_sentence_says_what_where_when_why_and_the_last_lines() -> None:
    failed = JobState(State.FAILED, exit_code=1, host="node3", seconds=12.4, reason="NonZeroExitCode")
    said = failed.sentence(["", *map(str, range(9)), " error: no space "])
    assert said == (
        "failed with exit code 1 on node3 after 12 s (NonZeroExitCode); "
        "its log ends with: 5 | 6 | 7 | 8 | error: no space"
    )


def test_the_guides_table_is_the_table_of_states() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "guides" / "remote-runs.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| `(\w+)` \| ", guide, re.MULTILINE))
    assert told == {str(state): meaning.mlflow for state, meaning in MEANINGS.items()}
    again = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| `\w+` \| (\w*)", guide, re.MULTILINE))
    assert {name for name, word in again.items() if word == "yes"} == {str(s) for s, m in MEANINGS.items() if m.again}
