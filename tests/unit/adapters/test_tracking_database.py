"""The tracking database: paths of every kind, killed while it is made, and never replaced where it holds runs."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from fixtures.tracking import empty_store
from lexigraft.adapters.tracking.client import connect, experiment_id, store_uri
from lexigraft.adapters.tracking.database import database_of

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")
NAMES = ["a%20b", "a?b", "a b", "a#b&c=d", "100%", "ñandú", "a%3Fb"]
KILLED = """
import os, signal, sys
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
from sqlalchemy import event
from sqlalchemy.engine import Engine
steps = 0
@event.listens_for(Engine, "after_cursor_execute")
def count(*_):
    global steps
    steps += 1
    if steps == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[1] == "mlflow":
    from mlflow import MlflowClient
    MlflowClient(sys.argv[2]).search_experiments()
else:
    from lexigraft.adapters.tracking.client import connect
    connect(sys.argv[2])
"""


def killed(who: str, uri: str, steps: int) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, who, uri, str(steps)], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


def logged(uri: str) -> str:
    client = connect(uri)
    experiment = experiment_id(client, store_uri(uri), "x")
    run = client.create_run(experiment)
    client.log_text(run.info.run_id, "text", "a.txt")
    assert [f.path for f in client.list_artifacts(run.info.run_id)] == ["a.txt"]
    return str(run.info.run_id)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_runs_go_to_the_very_file_that_the_uri_names(tmp_path: Path, name: str) -> None:
    file = tmp_path / name / "mlflow.db"
    empty_store(file)
    run = logged(f"sqlite:///{file}")
    with closing(sqlite3.connect(file)) as connection:
        assert [row[0] for row in connection.execute("select run_uuid from runs")] == [run]
    assert {p.name for p in tmp_path.iterdir()} == {name}
    assert (tmp_path / name / "mlruns" / "x" / run).is_dir()


def test_a_space_written_as_a_code_and_options_of_the_driver(tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    found = database_of(f"sqlite:///{tmp_path}/a%20b/mlflow.db")
    assert found is not None
    assert found.file == tmp_path / "a b" / "mlflow.db"
    (tmp_path / "a%20b").mkdir()
    found = database_of(f"sqlite:///{tmp_path}/a%20b/mlflow.db?timeout=30")
    assert found is not None
    assert found == (tmp_path / "a%20b" / "mlflow.db", "?timeout=30")
    for other in ("sqlite:///:memory:", "http://host", "sqlite://", "postgresql:///x"):
        assert database_of(other) is None


@pytest.mark.slow
@pytest.mark.parametrize(("who", "steps"), [("mlflow", 12), ("mlflow", 150), ("lexigraft", 25), ("lexigraft", 330)])
def test_a_kill_while_the_tables_are_made(tmp_path: Path, who: str, steps: int) -> None:
    file = tmp_path / "mlflow.db"
    killed(who, f"sqlite:///{file}", steps)
    assert file.exists() == (who == "mlflow")
    logged(f"sqlite:///{file}")
    assert {p.name for p in tmp_path.iterdir()} == {"mlflow.db", "mlruns"}


@pytest.mark.slow
def test_what_holds_runs_or_is_not_mlflows_is_never_replaced(tmp_path: Path) -> None:
    whole, damaged = tmp_path / "whole.db", tmp_path / "damaged.db"
    empty_store(whole)
    logged(f"sqlite:///{whole}")
    damaged.write_bytes(whole.read_bytes())
    with closing(sqlite3.connect(damaged)) as connection:
        connection.execute("update alembic_version set version_num = 'unknown'")
        connection.commit()
    foreign, text = tmp_path / "foreign.db", tmp_path / "text.db"
    with closing(sqlite3.connect(foreign)) as connection:
        connection.execute("create table alembic_version (version_num text)")
        connection.execute("insert into alembic_version values ('theirs')")
        connection.execute("create table mine (a int)")
        connection.commit()
    text.write_text("not a database " * 100)
    for file, reason in ((damaged, "unknown"), (text, "not a database")):
        before = file.read_bytes()
        with pytest.raises(Exception, match=reason):
            connect(f"sqlite:///{file}")
        assert file.read_bytes() == before
    with pytest.raises(Exception, match="theirs"):
        connect(f"sqlite:///{foreign}")
    with closing(sqlite3.connect(foreign)) as connection:
        assert connection.execute("select * from mine").fetchall() == []
