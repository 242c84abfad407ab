"""Passwords and tokens are masked in whatever is printed or written, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexigraft.core.utils.secrets import masked, masked_uris

PASSWORDS = ["pa55word", "p@ss:w0rd", "half/of@it", "p%40ss#w0rd", "a?b&c=d!e", "ключ-ключ"]


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("scheme", ["http", "https", "postgresql+psycopg2", "mysql"])
def test_user_information_goes_as_a_whole(scheme: str, password: str) -> None:
    uri = f"{scheme}://someone:{password}@host.example:5000/runs"
    assert masked_uris(uri) == f"{scheme}://***@host.example:5000/runs"
    assert masked(f"cannot reach {uri}, sorry") == f"cannot reach {scheme}://***@host.example:5000/runs, sorry"


@given(st.text(st.characters(exclude_categories=("Z", "C")), min_size=6), st.sampled_from(["user:", "user", ""]))
def test_no_password_without_white_space_is_left(password: str, user: str) -> None:
    if not user and "/" in password.split(":")[0]:
        return  # what follows an unescaped slash without a user's name before it is a path
    separator = "" if user.endswith(":") or not user else ":"
    assert masked_uris(f"http://{user}{separator}{password}@host/x") == "http://***@host/x"


def test_tokens_in_queries_and_headers() -> None:
    assert masked_uris("https://h/x?access_token=abc123&run=7") == "https://h/x?access_token=***&run=7"
    assert masked_uris("https://h/x?sv=2024&sig=abc%3D#f") == "https://h/x?sv=2024&sig=***#f"
    assert masked_uris("Authorization: Bearer abcdef123456") == "Authorization: Bearer ***"
    assert masked_uris("hf_abcdefghijklmnopqrst") == "hf_***"


@pytest.mark.parametrize(
    "text",
    [
        "sqlite:////home/me@work/a:b@c/mlflow.db",
        "sqlite:///mlflow.db",
        "http://127.0.0.1:5000",
        "file:///a/b@c",
        "mail me@example.org: it is done",
        "./corpus/token=5.txt",
        "databricks://profile",
    ],
)
def test_what_holds_no_secret_stays(text: str) -> None:
    assert masked_uris(text) == text
    assert masked_uris({"a": [text, 5, None]}) == {"a": [text, 5, None]}


def test_parts_that_a_library_quotes_and_secrets_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "planted-token")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:planted-in-variable@host")
    uri = "postgresql://someone:planted%21word@host/db"
    message = "no login for someone with planted!word, planted%21word, planted-token or planted-in-variable"
    assert "planted" not in masked(message, uri)
