"""The launcher `ssh` with a real sshd on loopback: jobs, lost connections, files, host keys, credentials."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from fixtures.jobs import PATIENCE, AddPlugin, until
from fixtures.recipes import tiny_recipe
from fixtures.ssh_server import SOURCES, SSHD, TOOLS, Server, with_no_error
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.cells.cell_store import load_comparison, load_results
from lexigraft.core.remote.job_files import CREDENTIALS, read_json
from lexigraft.core.remote.job_state import State
from lexigraft.core.remote.launcher import Handle, Launcher
from lexigraft.core.remote.processes import process_mark

pytestmark = [
    pytest.mark.remote,
    pytest.mark.skipif(not SSHD, reason="no sshd here (Debian: openssh-server)"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("sshd"))
    yield made
    made.launcher()._connection.close()  # type: ignore[attr-defined]
    made.stop()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Servers of one test, which it may break."""
    made: list[Server] = []

    def start(tools: tuple[str, ...] | None = None) -> Server:
        made.append(Server(tmp_path / f"sshd{len(made)}", tools))
        return made[-1]

    yield start
    for one in made:
        one.stop()


def submitted(launcher: Launcher, folder: Path, script: str, env: dict[str, str] | None = None) -> Handle:
    folder.mkdir(exist_ok=True, parents=True)
    handle = launcher.submit(["bash", "-c", script], launcher.resources, env or {}, folder)
    return Handle(**json.loads(json.dumps(handle.as_json())))


def wait(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def master_of(launcher: Launcher) -> int:
    """The process that holds the shared connection."""
    connection = launcher._connection  # type: ignore[attr-defined]
    told = subprocess.run([*connection.program(), "-O", "check", "gpubox"], capture_output=True, text=True).stderr
    return int(told.partition("pid=")[2].partition(")")[0])


def test_the_machine_is_checked(server: Server) -> None:
    server.launcher().check()


@pytest.mark.parametrize(
    ("script", "state", "words"),
    [
        ("echo hi", State.FINISHED, "finished on"),
        ("echo oops; exit 3", State.FAILED, "failed with exit code 3 on"),
        ("echo bye; kill -9 $$", State.FAILED, "was ended by SIGKILL on"),
        ("echo 'CUDA out of memory'; exit 1", State.OUT_OF_MEMORY, "needed more memory than it had"),
    ],
)
def test_the_end_of_a_job_is_known(server: Server, tmp_path: Path, script: str, state: State, words: str) -> None:
    launcher = server.launcher()
    handle = submitted(launcher, tmp_path / "out" / "remote" / "a b", script)
    found = until(launcher, handle)
    assert found.state is state
    said = found.sentence(launcher.tail(handle, 5))
    assert words in said
    assert ("its log ends with:" in said) == (state is not State.FINISHED)


def test_a_time_limit_ends_a_job(server: Server, tmp_path: Path) -> None:
    launcher = server.launcher(time="0.3s")
    assert until(launcher, submitted(launcher, tmp_path / "job", "sleep 300")).state is State.TIMED_OUT


def test_a_lost_connection_loses_nothing(own_server: Callable[..., Server], tmp_path: Path) -> None:
    server = own_server()
    launcher = server.launcher()
    go = tmp_path / "go"
    handle = submitted(launcher, tmp_path / "job", f"echo begun; until test -e {go}; do sleep 0.05; done; echo done")
    wait(lambda: launcher.tail(handle, 1) == ["begun"])
    assert launcher.poll(handle).state is State.RUNNING
    with_no_error(master_of(launcher))
    server.drop()
    assert launcher.poll(handle).state is State.RUNNING
    server.stop()  # the machine's network is gone
    for ask in (lambda: launcher.poll(handle), lambda: launcher.tail(handle, 1), lambda: launcher.push([tmp_path])):
        with pytest.raises(LexigraftError, match=r"the machine cannot be reached: gpubox\. Jobs that run there go on"):
            ask()
    go.touch()
    server.start()
    launcher.push([tmp_path / "go"])
    assert until(server.launcher(), handle).state is State.FINISHED
    assert launcher.tail(handle, 5) == ["begun", "done"]
    server.stop()
    assert server.launcher().poll(handle).state is State.FINISHED, "known here since it was seen"


def test_a_submission_whose_client_was_killed_is_found(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "job"
    folder.mkdir()
    code = (
        "import os, signal, sys; from pathlib import Path; from lexigraft.core.registry import make; "
        "from lexigraft.core.remote.launcher import Resources; "
        f"launcher = make('launcher', 'ssh', {server.fields()!r}); "
        f"launcher.submit(['sleep', '300'], Resources(), {{}}, Path({str(folder)!r})); "
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": "src"})
    assert done.returncode == -signal.SIGKILL
    launcher = server.launcher()
    assert launcher.find(tmp_path / "nothing") is None
    handle = launcher.find(folder)
    assert handle is not None
    assert until(launcher, handle, State.RUNNING).over is False
    launcher.cancel(handle)
    assert until(launcher, handle).state is State.CANCELLED


def test_a_killed_job_is_lost(server: Server, tmp_path: Path) -> None:
    launcher = server.launcher()
    handle = submitted(launcher, tmp_path / "job", "echo step 7; exec sleep 300")
    wait(lambda: launcher.tail(handle, 1))
    os.kill(int(handle.id), signal.SIGKILL)
    found = until(launcher, handle)
    assert (found.state, found.again) == (State.LOST, True)
    assert found.sentence(launcher.tail(handle, 5)).endswith("its log ends with: step 7")


def test_a_job_whose_folder_is_gone_is_lost(server: Server, tmp_path: Path) -> None:
    launcher = server.launcher()
    assert launcher.poll(Handle("ssh", "1", str(tmp_path / "gone"))).state is State.LOST


def test_a_job_is_cancelled_with_all_its_processes(server: Server, tmp_path: Path) -> None:
    launcher = server.launcher()
    handle = submitted(launcher, tmp_path / "job", "sleep 300 & echo $!; wait")
    wait(lambda: launcher.tail(handle, 1))
    launcher.cancel(handle)
    assert until(launcher, handle).state is State.CANCELLED
    wait(lambda: process_mark(int(launcher.tail(handle, 1)[0])) is None)


def test_each_job_has_a_device_of_its_own_and_the_others_wait(server: Server, tmp_path: Path) -> None:
    launcher = server.launcher(devices=[0, 1], remote_dir=str(tmp_path / "far"))
    script = "echo $CUDA_VISIBLE_DEVICES; exec sleep 300"
    first, second = (submitted(launcher, tmp_path / name, script) for name in "ab")
    wait(lambda: launcher.tail(first, 1) and launcher.tail(second, 1))
    assert sorted(launcher.tail(first, 1) + launcher.tail(second, 1)) == ["0", "1"]
    third, fourth = (submitted(launcher, tmp_path / name, script) for name in "cd")
    assert [launcher.poll(one).state for one in (third, fourth)] == [State.QUEUED, State.QUEUED]
    launcher.cancel(fourth)
    assert until(launcher, fourth).state is State.CANCELLED
    (device,) = launcher.tail(first, 1)
    os.kill(int(first.id), signal.SIGKILL)  # the system frees a dead job's device
    wait(lambda: launcher.tail(third, 1))
    assert launcher.tail(third, 1) == [device]
    for one in (second, third):
        launcher.cancel(one)
        until(launcher, one)
    with pytest.raises(LexigraftError, match="more GPUs than there are devices: 3"):
        server.launcher(devices=[0, 1], gpus=3)


def test_two_gpus_for_a_job(server: Server, tmp_path: Path) -> None:
    launcher = server.launcher(devices=[0, 1, 2], gpus=2, remote_dir=str(tmp_path / "far"))
    handle = submitted(launcher, tmp_path / "job", "echo $CUDA_VISIBLE_DEVICES")
    until(launcher, handle)
    assert launcher.tail(handle, 1) == ["0,1"]


@pytest.mark.parametrize("with_rsync", [True, False], ids=["rsync", "tar"])
def test_files_travel_both_ways(
    own_server: Callable[..., Server], tmp_path: Path, with_rsync: bool, caplog: pytest.LogCaptureFixture
) -> None:
    server = own_server(None if with_rsync else tuple(t for t in TOOLS if t != "rsync"))
    launcher = server.launcher(remote_dir="jobs of ana")
    here = tmp_path / "data of ana"
    (here / "model" / "inner").mkdir(parents=True)
    (here / "kichwa ñan.txt").write_text("ñuka")
    (here / "model" / "weights").write_text("1")
    (here / "model" / "inner" / "old").write_text("2")
    (here / "model" / "link").symlink_to(here / "kichwa ñan.txt")
    paths = [here / "kichwa ñan.txt", here / "model"]
    with caplog.at_level(logging.WARNING, "lexigraft"):
        launcher.push(paths)
        far = Path(launcher.there(here))
        assert far == server.home / "jobs of ana" / str(here).lstrip("/")
        assert (far / "model" / "link").read_text() == (far / "kichwa ñan.txt").read_text() == "ñuka"
        assert not (far / "model" / "link").is_symlink()
        (far / "kichwa ñan.txt").chmod(0o444)
        before = {p: p.stat().st_ino for p in far.rglob("*") if p.is_file()}
        (here / "model" / "inner" / "old").unlink()
        (here / "model" / "new").write_text("3")
        launcher.push(paths)
    assert not (far / "model" / "inner" / "old").exists()
    assert (far / "model" / "new").read_text() == "3"
    assert before[far / "kichwa ñan.txt"] == (far / "kichwa ñan.txt").stat().st_ino, (
        "what is the same is not sent again"
    )
    assert [r.getMessage() for r in caplog.records if "tar" in r.getMessage()] == (
        [] if with_rsync else ["without rsync on both sides, changed files and folders travel whole, by tar"]
    )

    out = tmp_path / "out"
    workdir = out / "remote" / "cell" / "1"
    made = Path(launcher.there(out))
    for name in ("cells/a-s0/result.json", "cells/.draft/result.json", "prepared/-x y/file", "remote/other/1/job.log"):
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(name)
    handle = submitted(launcher, workdir, "echo hi")
    until(launcher, handle)
    launcher.fetch(handle, out)
    (made / "cells/a-s0/result.json").write_text("a new one")
    (made / "recipe.yaml").write_text("with paths of the machine")
    (out / "recipe.yaml").write_text("with paths from here")
    launcher.fetch(handle, out)
    launcher.fetch(handle, out)
    assert (out / "cells/a-s0/result.json").read_text() == "a new one"
    assert (out / "prepared/-x y/file").exists()
    assert (workdir / "job.log").read_text() == "hi\n"
    assert (out / "recipe.yaml").read_text() == "with paths from here"
    assert sorted(p.name for p in out.iterdir()) == ["cells", "prepared", "recipe.yaml", "remote"]
    assert sorted(p.name for p in (out / "remote").iterdir()) == ["cell"]


def test_nothing_that_copies_files(own_server: Callable[..., Server], tmp_path: Path) -> None:
    server = own_server(tuple(t for t in TOOLS if t not in ("rsync", "tar")))
    with pytest.raises(LexigraftError, match="has neither rsync nor tar: gpubox"):
        server.launcher().check()


def test_what_is_there_already_is_not_sent(server: Server, tmp_path: Path) -> None:
    here, far = tmp_path / "models", tmp_path / "far models"
    (here / "a").mkdir(parents=True)
    far.mkdir()
    (tmp_path / "link").symlink_to(here)
    launcher = server.launcher(paths={str(here): str(far)})
    (tmp_path / "named.txt").symlink_to(tmp_path / "blob")
    assert launcher.there(tmp_path / "link" / "a") == launcher.there(here / "a")
    assert launcher.there(tmp_path / "named.txt").endswith("/named.txt")
    assert launcher.there(here / "a") == str(far / "a")
    assert launcher.there(tmp_path / "models2") == f"{server.home}/lexigraft{tmp_path}/models2"
    with pytest.raises(LexigraftError, match=rf"does not have this: {far}/a\. `paths` says that gpubox has it"):
        launcher.push([here / "a"])
    (far / "a").mkdir()
    launcher.push([here / "a"])
    assert list((far / "a").iterdir()) == []
    with pytest.raises(LexigraftError, match="a file for the machine does not exist"):
        launcher.push([tmp_path / "no such"])


def test_a_comparison_inside_one_of_its_inputs(server: Server, tmp_path: Path) -> None:
    recipe = tmp_path / "data" / "out" / "remote" / "recipe.yaml"
    recipe.parent.mkdir(parents=True)
    recipe.touch()
    for around in (tmp_path / "data", tmp_path / "data" / "out"):
        with pytest.raises(LexigraftError, match=rf"holds the comparison's folder: {around}\. Choose an --out outside"):
            server.launcher().push([recipe, around])


def test_an_archive_that_is_cut_off_is_not_taken_for_whole(
    own_server: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = own_server(tuple(t for t in TOOLS if t != "rsync"))
    launcher = server.launcher()
    for name in ("a", "b"):
        (tmp_path / "model").mkdir(exist_ok=True)
        (tmp_path / "model" / name).write_text(name)
    add, cut = tarfile.TarFile.addfile, "whole"

    def cut_off(archive: tarfile.TarFile, info: tarfile.TarInfo, *more: Any) -> None:
        if info.name == cut == "sent/b":
            server.drop()
        elif info.name != cut:
            add(archive, info, *more)

    monkeypatch.setattr(tarfile.TarFile, "addfile", cut_off)
    far = Path(launcher.there(tmp_path / "model"))
    with pytest.raises(LexigraftError, match="a command on the machine failed"):
        launcher.push([tmp_path / "model"])  # it ends between two files
    cut = "sent/b"
    with pytest.raises(LexigraftError, match="the machine cannot be reached"):
        launcher.push([tmp_path / "model"])  # the connection breaks
    assert not far.exists()
    monkeypatch.undo()
    launcher.push([tmp_path / "model"])
    assert sorted(path.name for path in far.iterdir()) == ["a", "b"]


def test_own_plugins_travel(server: Server, tmp_path: Path, add_plugin: AddPlugin) -> None:
    add_plugin("mine.py", "x = 1")
    launcher = server.launcher()
    launcher.push([])
    handle = submitted(launcher, tmp_path / "job", 'cat "$LEXIGRAFT_PLUGINS/mine.py"')
    until(launcher, handle)
    assert launcher.tail(handle, 1) == ["x = 1"]
    assert f"far home/lexigraft{tmp_path}" in launcher.there(tmp_path)


def test_lines_before_a_job(server: Server, tmp_path: Path) -> None:
    launcher = server.launcher(before=["echo loading", "export PLACE='a b'"])
    launcher.check()
    handle = submitted(launcher, tmp_path / "job", 'echo "$PLACE"')
    until(launcher, handle)
    assert launcher.tail(handle, 5) == ["a b"]
    with pytest.raises(LexigraftError, match=r"a command on the machine failed: gpubox\..*no-such-module"):
        submitted(server.launcher(before=["no-such-module load cuda"]), tmp_path / "other", "true")


def test_a_changed_host_key_is_one_clear_error(own_server: Callable[..., Server]) -> None:
    server = own_server()
    server.stop()
    server.make_key("host")
    server.start()
    with pytest.raises(LexigraftError, match=r"host key has changed: gpubox. Somebody may be listening") as changed:
        server.launcher().check()
    assert str(server.known_hosts) in str(changed.value)
    server.known_hosts.write_text("")
    with pytest.raises(LexigraftError, match=r"host key is not known: gpubox. Connect once by hand"):
        server.launcher().check()


def test_a_login_that_is_refused(own_server: Callable[..., Server]) -> None:
    server = own_server()
    (server.folder / "authorized").write_text("")
    with pytest.raises(LexigraftError, match=r"refuses the login: gpubox. `ssh gpubox` must work without a question"):
        server.launcher().check()


def test_a_machine_that_does_not_answer_is_told_in_time(own_server: Callable[..., Server]) -> None:
    server = own_server()
    server.stop()
    with pytest.raises(LexigraftError, match=r"cannot be reached: gpubox.*refused"):
        server.launcher().check()
    with socket.create_server(("127.0.0.1", server.port)):  # takes connections and says nothing
        begun = time.monotonic()
        with pytest.raises(LexigraftError, match=r"cannot be reached: gpubox.*timed out"):
            server.launcher(connect_timeout="1s").check()
        assert time.monotonic() - begun < 30
    with pytest.raises(LexigraftError, match=r"cannot be reached: no-such\.invalid.*resolve"):
        server.launcher(host="no-such.invalid").check()


def test_a_shared_connection_that_hangs_is_dropped_in_time(
    own_server: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lexigraft.plugins.launchers import _openssh

    monkeypatch.setattr(_openssh, "_ANSWER_SECONDS", 0.5)
    launcher = own_server().launcher(connect_timeout="1s")
    launcher.check()
    (tmp_path / "file").touch()
    for ask in (lambda: launcher.poll(Handle("ssh", "1", str(tmp_path / "job"))), lambda: launcher.push([tmp_path])):
        launcher.check()
        os.kill(master := master_of(launcher), signal.SIGSTOP)
        try:
            begun = time.monotonic()
            with pytest.raises(
                LexigraftError, match=r"the machine does not answer: gpubox\. Jobs that run there go on"
            ):
                ask()
            assert time.monotonic() - begun < 15, "well before the limit of a command that is slow on the far side"
        finally:
            os.kill(master, signal.SIGKILL)
    assert launcher.poll(Handle("ssh", "1", str(tmp_path / "job"))).state is State.LOST, "a new connection answers"


def test_a_shell_that_writes_of_its_own(own_server: Callable[..., Server]) -> None:
    server = own_server()
    (server.home / ".bashrc").write_text("echo Welcome to gpubox")
    with pytest.raises(LexigraftError, match="the shell on gpubox writes text of its own: Welcome to gpubox"):
        server.launcher().check()


def test_a_machine_without_lexigraft(server: Server, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    python.chmod(0o755)
    with pytest.raises(LexigraftError, match=r"the machine has no Lexigraft: gpubox, .*No module named"):
        server.launcher(python="", venv=str(tmp_path)).check()
    python.write_text("#!/bin/sh\necho 0.0.7\n")
    with pytest.raises(LexigraftError, match=r"has another version of Lexigraft: gpubox, 0\.0\.7"):
        server.launcher(python="", venv=str(tmp_path)).check()


def test_a_folder_that_cannot_be_written(server: Server) -> None:
    with pytest.raises(LexigraftError, match=r"a command on the machine failed: gpubox. mkdir: "):
        server.launcher(remote_dir="/dev/null/x").check()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"host": ""}, "the backend ssh needs a host: none"),
        ({"host": "-oProxyCommand=x"}, "the backend ssh needs a host: -oProxyCommand=x"),
        ({"devises": [0]}, "unknown field of launcher 'ssh': devises. Did you mean 'devices'?"),
        (
            {"known_hosts": "hosts"},
            "known_hosts of the backend ssh must be a whole path: hosts. `lexigraft remote`",
        ),
        ({"paths": {"models": "/x"}}, "paths of the backend ssh must be a whole path: models"),
        ({"port": 0}, "field 'port' of launcher 'ssh' cannot take this value: 0"),
        ({"devices": ["0; rm"]}, "field 'devices' of launcher 'ssh' cannot take this value"),
    ],
)
def test_settings_that_cannot_be(server: Server, fields: dict[str, object], words: str) -> None:
    with pytest.raises(LexigraftError) as refused:
        server.launcher(**fields)
    assert words in str(refused.value)


def test_a_folder_for_sockets_that_others_can_enter(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    from lexigraft.plugins.launchers import _openssh

    monkeypatch.setattr(_openssh, "Path", lambda name: server.folder if name == "/tmp" else Path(name))
    (server.folder / f"lexigraft-ssh-{os.getuid()}").mkdir(mode=0o755)
    with pytest.raises(LexigraftError, match="is not yours alone"):
        server.launcher().check()


def test_secrets_are_seen_nowhere(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "planted-named")
    monkeypatch.setenv("OTHER_TOKEN", "planted-other")
    launcher = server.launcher(pass_env=["HF_TOKEN"], devices=[0], remote_dir=str(tmp_path / "far"))
    seen: list[str] = []
    ran = subprocess.Popen

    def watched(words: list[str], *more: object, **named: object) -> object:
        seen.append(" ".join(map(str, words)))
        process = ran(words, *more, **named)  # type: ignore[call-overload]
        if words[0] != "ps":
            seen.append(ran(["ps", "axww", "-o", "args="], stdout=-1).communicate()[0].decode())
        return process

    holder = submitted(launcher, tmp_path / "holder", "exec sleep 300")
    wait(lambda: launcher.poll(holder).state is State.RUNNING)
    monkeypatch.setattr(subprocess, "Popen", watched)
    go = tmp_path / "go"
    script = f'test "$HF_TOKEN" = planted-"named" && echo "has/$OTHER_TOKEN"; until test -e {go}; do sleep 0.05; done'
    handle = submitted(launcher, tmp_path / "job", script, launcher.passed())
    kept = Path(launcher.there(tmp_path / "job")) / CREDENTIALS
    assert (kept.stat().st_mode & 0o777, read_json(kept)) == (0o600, {"HF_TOKEN": "planted-named"})
    launcher.cancel(holder)
    wait(lambda: launcher.tail(handle, 1))
    assert launcher.tail(handle, 1) == ["has/"]
    assert not kept.exists()
    go.touch()
    assert until(launcher, handle).state is State.FINISHED
    launcher.fetch(handle, tmp_path / "out")
    assert any("--detach" in text for text in seen)
    assert [text for text in seen if "planted-named" in text or "planted-other" in text] == []
    files = [p for folder in ("job", "far", "out") for p in (tmp_path / folder).rglob("*") if p.is_file()]
    assert len(files) > 5
    assert [p for p in files if b"planted-named" in p.read_bytes() or b"planted-other" in p.read_bytes()] == []
    assert "planted" not in (server.folder / "sshd.log").read_text()


@pytest.mark.slow
def test_a_comparison_killed_in_the_middle_goes_on_and_has_the_numbers_of_one_machine(
    server: Server, tmp_path: Path
) -> None:
    strategies = ["random", "mean"]
    recipe = tiny_recipe(tmp_path, strategies=strategies, seeds=[0], poor_model=None, tracking={"enabled": False})
    settings = tmp_path / "ssh.yaml"
    settings.write_text(yaml.safe_dump(server.fields() | {"devices": [0]}))
    # In processes of their own: the number of threads decides the last digits.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(SOURCES)}
    command = [sys.executable, "-m", "lexigraft", "compare", str(recipe), "--out"]
    subprocess.run([*command, str(tmp_path / "here")], check=True, env=environment)

    out = tmp_path / "there"
    command += [str(out), "--backend", "ssh", "--backend-config", str(settings), "--max-parallel", "2"]
    first = subprocess.Popen(command, env=environment)
    started = f"lexigraft/{out}/remote/random-s0-*/1/started.json"
    wait(lambda: list(server.home.glob(started)) or first.poll(), 3 * PATIENCE)
    first.kill()
    first.wait()
    server.drop()
    subprocess.run(command, check=True, env=environment)
    assert {len(list(job.glob("[0-9]*"))) for job in (out / "remote").glob("*-s0-*")} == {1}, "no cell ran twice"
    here, there = (
        [(r.cell, r.scores, r.losses, r.coverage) for r in load_results(folder, load_comparison(folder))]
        for folder in (tmp_path / "here", out)
    )
    assert here == there
    assert len(here) == 2
    assert (out / "report.html").exists()
    assert str(server.home) not in (out / "recipe.yaml").read_text()
