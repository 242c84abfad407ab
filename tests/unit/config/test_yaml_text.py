"""YAML of users: no text of a few lines fills the memory or ends in a traceback."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexigraft.core.config.yaml_text import MOST_VALUES, read_yaml
from lexigraft.core.errors import LexigraftError

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)
MERGES = "a0: &a0 {k: 1}\n" + "".join(
    f"a{n}: &a{n} {{'<<': [{', '.join([f'*a{n - 1}'] * 10)}]}}\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "too many values"),
        (MERGES, "too many values"),
        ("- x\n" * (MOST_VALUES + 1), "too many values"),
        ("a: &a [*a]", "contains it"),
        ("a: &a {b: *a}", "contains it"),
        ("&a {<<: *a}", "contains it"),
        ("[" * 20_000, "nested too deep"),
        ("{a: " * 20_000, "nested too deep"),
        ("x" * 5_000_000, "too long"),
        ("a: " + "9" * 5000, "not readable YAML"),
        ("a: 2001-99-99", "not readable YAML"),
        ("a: !!timestamp x", "not readable YAML"),
        ("a: !!bool x", "not readable YAML"),
        ("a: !!int ''", "not readable YAML"),
        ("a: !!python/object:os.system x", "not readable YAML"),
        ("{[a]: b}", "not readable YAML"),
        ("a: [1", "not readable YAML"),
        ("a: \0", "not readable YAML"),
        ("a: \ud800", "not readable YAML"),
    ],
)
def test_hostile_yaml_is_refused_at_once(text: str, message: str) -> None:
    started = time.process_time()
    with pytest.raises(LexigraftError, match=message):
        read_yaml(text, "recipe.yaml")
    assert time.process_time() - started < 20


def test_ordinary_yaml_with_aliases_is_read() -> None:
    assert read_yaml("a: &a {x: [1, 2]}\nb: *a\nc: {<<: *a, y: 3}", "r") == {
        "a": {"x": [1, 2]},
        "b": {"x": [1, 2]},
        "c": {"x": [1, 2], "y": 3},
    }
    assert read_yaml("", "r") is None


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab:-[]{}&*!<>|?,'\"\n 019.\t~#%@=e+_"), max_size=60) | st.text(max_size=30))
def test_any_text_is_yaml_or_one_error(text: str) -> None:
    with contextlib.suppress(LexigraftError):
        read_yaml(text, "r")
