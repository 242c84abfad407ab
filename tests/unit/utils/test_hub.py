"""A name that is no folder: one quick answer about the Hub, given by a server that runs here."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.loading import load_config
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.utils import hub

STATUS = {"/api/models/a/known": 200, "/api/models/a/broken": 500}


class Hub(BaseHTTPRequestHandler):
    """Knows one model, fails over another one, and knows no other."""

    def do_GET(self) -> None:
        status = STATUS.get(self.path.partition("?")[0], 404)
        body = b'{"id": "a/known"}' if status == 200 else b""
        self.send_response(status)
        if status == 404:
            self.send_header("X-Error-Code", "RepoNotFound")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", url)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(hub, "_BETWEEN", 0.0)
    hub.require_on_hub.cache_clear()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()
    hub.require_on_hub.cache_clear()


def test_a_name_that_the_hub_does_not_know_is_one_error(endpoint: HTTPServer) -> None:
    hub.require_on_hub("a/known")
    for load in (load_vocabulary, load_config):
        with pytest.raises(LexigraftError, match=r"neither a folder nor a model of the Hub has this name: a/knwon\."):
            load("a/knwon")
    with pytest.raises(LexigraftError, match="neither a folder nor"):
        hub.require_on_hub("not a name")


def test_errors_of_the_server_are_left_to_its_readers(endpoint: HTTPServer) -> None:
    hub.require_on_hub("a/broken")


def test_without_a_connection_an_uncached_name_is_refused(endpoint: HTTPServer, tmp_path: Path) -> None:
    endpoint.shutdown()
    endpoint.server_close()
    with pytest.raises(LexigraftError, match="no folder has this name, and the Hub cannot be reached: a/knwon"):
        load_vocabulary("a/knwon")
    (tmp_path / "cache" / "models--a--here").mkdir(parents=True)
    hub.require_on_hub("a/here")


def test_offline_a_name_that_was_not_downloaded_is_refused(
    endpoint: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for load in (load_vocabulary, load_config):
        with pytest.raises(LexigraftError, match=r"downloaded from the Hub before: a/known\. .*hf download a/known"):
            load("a/known")
